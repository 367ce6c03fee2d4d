import Base
import Lab
import MediaControl
import PhoneNode
import ServerNode
import ShowText

/// Calls and their media in a ladder: what phones are told, and what the server's media plane says.
extension LabLadder {
    mutating func tell(_ event: CallEvent, _ column: Int, _ at: Instant) {
        switch event {
        case .incoming(let from, _, _): note(at, .mark(at: column), "rings: \(from) calls")
        case .answered(let state):
            let how = state.map { ", \($0.codec) with \($0.remote)" } ?? ""
            note(at, .mark(at: column), "the call stands\(how)", .good)
        case .media(let state):
            let way = state.sends ? (state.receives ? "both ways" : "out only") : state.receives ? "in only" : "silent"
            note(at, .mark(at: column), "audio is to go \(way), with \(state.remote)")
        case .digit(let digit): note(at, .mark(at: column), "hears the digit \(digit)")
        case .refused(let why): note(at, .mark(at: column), why, .warning)
        case .transfer(let code, let reason): note(at, .mark(at: column), "the transfer: \(code) \(reason)")
        case .asksTransfer(let to, _): note(at, .mark(at: column), "is asked to call \(to) instead")
        case .ended(let report):
            let tone: ReportTone = report.isSuccess ? .good : .bad
            note(at, .mark(at: column), "\(report.end.text); \(report.mediaText)", report.wasAnswered ? tone : .bad)
        case .calling, .progress, .digitsSent: break
        }
    }

    mutating func tell(_ event: MediaEvent, _ column: Int, _ at: Instant) {
        switch event {
        case .locked(_, let source):
            let how =
                switch source.means {
                case .signalled: "as its SDP says"
                case .learnt: "learnt at packet \(source.packet), as nothing comes from where its SDP says"
                case .moved: "which goes on from there after a silence"
                case .ice: "as ICE agreed"
                }
            note(at, .mark(at: column), "audio comes from \(source.endpoint), \(how)", source.means == .signalled ? nil : .accent)
        case .silent(_, let seconds): note(at, .mark(at: column), "no audio from a party for \(seconds) s", .bad)
        case .disbelieved(_, let place):
            note(at, .mark(at: column), "audio from \(place) is not taken: neither SIP nor SDP names it", .bad)
        case .finished(_, let reason): note(at, .mark(at: column), reason.rawValue)
        case .digit, .closed, .room: break
        }
    }

    static func text(_ input: PhoneNode.Input) -> String? {
        switch input {
        case .call(let request): "calls \(request.target)"
        case .answer: "answers"
        case .reject(_, let status): "refuses the call with \(status)"
        case .hangUp: "hangs up"
        case .hold: "puts the call on hold"
        case .resume: "takes the call off hold"
        case .mute(_, let isMuted): isMuted ? "is muted" : "is heard again"
        case .dtmf(_, let digits): "dials \(digits)"
        case .transfer(_, let to): "transfers the call to \(to)"
        case .transferAttended: "joins its two calls"
        default: nil
        }
    }
}
