import Base
import RTP

/// One end of one media stream: a local RTP port (and its RTCP port) that faces one remote party.
///
/// A two-party call with one audio stream has two legs, bridged; a conference party has one.
public struct MediaLegID: Hashable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }
}

/// What signalling tells the data path. Commands are never refused; what cannot be done is answered by a `MediaEvent` or a count.
///
/// All legs that ever meet must have ports of the same loop: signalling takes them from the pool the loop was announced with.
public enum MediaCommand: Sendable {
    /// The leg's ports are listened to from now on; what comes in is counted, answered (ICE) or learnt from, but goes nowhere yet.
    case open(MediaLegID, MediaLegSetup)
    /// What the other side's newest SDP says. Each offer/answer round sends it anew with an `epoch` that rose: learning begins afresh.
    case remote(MediaLegID, MediaRemote)
    /// The party's SIP comes from there now, and with it its media, whatever the newest SDP says.
    case follow(MediaLegID, IPAddress)
    /// Media from each goes to the other, payload types and bytes untouched but for SRTP.
    case bridge(MediaLegID, MediaLegID)
    /// The leg talks to a service of ours; ends a bridge it was in.
    case serve(MediaLegID, MediaService)
    /// What a room shall do.
    case room(name: String, RoomCommand)
    /// A DTMF digit that came by signalling (INFO), for the service the leg talks to.
    case digit(MediaLegID, Character)
    /// The leg is gone: a late packet is dropped and counted. Answered by `.closed` with the verdict.
    case close(MediaLegID)
}

/// The local side of a leg.
public struct MediaLegSetup: Hashable, Sendable {
    /// RTP. Its RTCP is `port + 1` unless multiplexed (RFC 3550 11, RFC 5761).
    public var port: UInt16
    /// Our address on the way to this party: what packets leave from; unspecified lets the kernel choose.
    public var local: IPAddress
    /// What we offered or answered for ICE-lite (RFC 8445); nil: no ICE.
    public var ice: ICECredentials?
    /// Of the dialog the stream belongs to: by it reports of the stream are told to belong to the call. Empty: not known.
    public var callID: String

    public init(port: UInt16, local: IPAddress, ice: ICECredentials? = nil, callID: String = "") {
        self.port = port
        self.local = local
        self.ice = ice
        self.callID = callID
    }
}

/// `a=ice-ufrag` and `a=ice-pwd` (RFC 8839 5.4).
public struct ICECredentials: Hashable, Sendable {
    public var ufrag: String
    public var password: String

    public init(ufrag: String, password: String) {
        self.ufrag = ufrag
        self.password = password
    }
}

/// What an SDP says of the other side of one stream.
public struct MediaRemote: Hashable, Sendable {
    /// Rises with every offer/answer exchange of the leg; a new value permits learning a new source.
    public var epoch: UInt32
    /// `c=` and `m=`; nil while unknown (no SDP yet).
    public var rtp: Endpoint?
    /// `a=rtcp` (RFC 3605) or the port after `rtp`; nil with rtcp-mux.
    public var rtcp: Endpoint?
    public var multiplexesRTCP: Bool
    /// We may send to it (it did not say sendonly or inactive).
    public var receives: Bool
    /// It may send to us.
    public var sends: Bool
    /// What was agreed, in order of preference; telephone-event and comfort noise among them.
    public var formats: [MediaFormat]
    /// Milliseconds of audio a packet the other side wishes.
    public var packetTime: Int
    /// RFC 4568: nil: plain RTP.
    public var srtp: SRTPParameters?
    /// The other side's, for connectivity checks; nil: no ICE.
    public var ice: ICECredentials?
    /// Fax over UDPTL (T.38) instead of RTP: no RTCP, no SRTP.
    public var carriesUDPTL: Bool
    /// Whether a source other than `rtp` may be learnt: false only where the account says that addresses in SDP are to be trusted.
    public var latches: Bool
    /// Where the party's own signalling comes from: its media are believed from there, and from `rtp` for want of better. nil: not known.
    public var signallingSource: IPAddress?
    /// Where packets may go before any came from there.
    public var unheard: Unheard

    public enum Unheard: Hashable, Sendable {
        /// The party did not prove who it is.
        case nowhere
        /// It did: what is sent there cannot hit a third party.
        case signallingSource
        /// Wherever SDP says.
        case anywhere
    }

    public init(
        epoch: UInt32, rtp: Endpoint?, rtcp: Endpoint? = nil, multiplexesRTCP: Bool = false, receives: Bool = true,
        sends: Bool = true,
        formats: [MediaFormat] = [], packetTime: Int = 20, srtp: SRTPParameters? = nil, ice: ICECredentials? = nil,
        carriesUDPTL: Bool = false, latches: Bool = true, signallingSource: IPAddress? = nil,
        unheard: Unheard = .signallingSource
    ) {
        self.epoch = epoch
        self.rtp = rtp
        self.rtcp = rtcp
        self.multiplexesRTCP = multiplexesRTCP
        self.receives = receives
        self.sends = sends
        self.formats = formats
        self.packetTime = packetTime
        self.srtp = srtp
        self.ice = ice
        self.carriesUDPTL = carriesUDPTL
        self.latches = latches
        self.signallingSource = signallingSource
        self.unheard = unheard
    }
}

/// Who answers when nobody else does.
public enum MediaService: Hashable, Sendable {
    /// Every packet goes back to its sender.
    case echo
    /// A steady tone, in Hz.
    case tone(Int)
    /// A text is spoken (or given in Morse where no voice is there), then the leg hangs up.
    case announcement(String)
    /// A conference room.
    case room(RoomEntry)
    /// Nothing is sent; what comes is counted. A held call.
    case silence
}

/// How a party enters a room.
public struct RoomEntry: Hashable, Sendable {
    public var room: String
    /// What the party is called in lists of who speaks.
    public var party: String
    /// The account it proved to be; nil: nobody vouches for it.
    public var account: String?
    /// Digits to be dialled before entry; nil: none.
    public var pin: String?
    /// An owner may lock the room (`*1`) and kick the one who entered last (`*3`); anyone may mute himself (`*6`).
    public var isOwner: Bool
    /// Whether to write the room's mix to a WAV file while anyone is in it.
    public var records: Bool

    public init(
        room: String, party: String, account: String? = nil, pin: String? = nil, isOwner: Bool = false, records: Bool = false
    ) {
        self.room = room
        self.party = party
        self.account = account
        self.pin = pin
        self.isOwner = isOwner
        self.records = records
    }
}

public enum RoomCommand: Hashable, Sendable {
    case lock(Bool)
    case mute(MediaLegID, Bool)
    case kick(MediaLegID)
}
