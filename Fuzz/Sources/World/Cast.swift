import Base

/// Who plays, and what can be dialled.
enum Cast {
    /// The phones' and the scripted endpoint's accounts, each with its name as password.
    static let users = ["alice", "bob", "carol", "dave"]
    /// What is dialled: users, rooms, services, what is not there, what is elsewhere.
    static let targets = [
        "alice", "bob", "carol", "dave", "8000", "8001", "600", "601", "602", "nobody", "sip:eve@elsewhere.example",
    ]
    static let methods = [
        "REGISTER", "INVITE", "BYE", "CANCEL", "ACK", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "UPDATE", "PRACK", "INFO",
        "NOTIFY",
        "PUBLISH", "NONSENSE",
    ]
    static let events = ["dialog", "reg", "message-summary", "presence", "refer"]

    static let server = IPv4Address(203, 0, 113, 10)
    static let endpoint = IPv4Address(198, 51, 100, 20)
    static let stranger = IPv4Address(198, 51, 100, 66)
    static let carol = IPv4Address(198, 51, 100, 30)
    static let serverSIP = Endpoint(.v4(server), 5060)
    static let realm = "pinhole"

    /// A URI as it is dialled at our server.
    static func uri(_ target: Int) -> String {
        let name = targets[target]
        return name.hasPrefix("sip:") ? name : "sip:\(name)@\(server)"
    }
}
