import AudioCodecs
import Codecs
import MediaControl
import SRTP

/// What the phone of this program can code and encrypt with.
enum PhoneCodecs {
    static let registry = AudioLibraries.registry()
    static let srtp: SRTPProvider? = LibSRTP.provider
}
