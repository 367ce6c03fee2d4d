import Codecs
import MediaControl
import SRTP

/// What the phone of this program can code and encrypt with.
enum PhoneCodecs {
    static let registry = CodecRegistry.g711
    static let srtp: SRTPProvider? = LibSRTP.provider
}
