import Base
import Capture

extension Judge {
    /// What helps where a log does not show everything.
    static func advice(_ kind: Blindness.Kind) -> Remedy {
        let text: String
        switch kind {
        case .oneDirection: text = "Let the program log what it receives and what it sends, and give the whole log."
        case .noSIP: text = "Check that this is the right file, and that the program logs SIP messages."
        case .unreadMessages: text = "Give the log as its program wrote it, or a capture."
        case .truncatedFile, .snapLength, .drops, .encrypted, .encryptedRadio, .undecoded, .missingFragments, .streamGaps,
            .cutMessages, .noTimes, .forgotten:
            text = "Give the whole log, with times, or a capture."
        case .sharedCallID: text = "Replace each Call-ID by a word of its own."
        }
        return Remedy(.capture, text)
    }
}
