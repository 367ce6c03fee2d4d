import Base
import MediaControl

/// A conference room while somebody is in it.
struct Room: Sendable {
    struct Recording: Sendable {
        var id: RecordingID
        var group: Int
        /// What was not handed out yet.
        var samples: [Int16] = []
    }

    let name: String
    /// Slots, in the order of entry.
    var members: [Int] = []
    var isLocked = false
    var mixer: RoomMixer
    var speakers = SpeakerList()
    var recording: Recording?
    /// Ticks since it was last looked who speaks.
    var sinceLook = 0

    init(_ name: String, noiseSeed: UInt64) {
        self.name = name
        mixer = RoomMixer(noiseSeed: noiseSeed)
    }
}
