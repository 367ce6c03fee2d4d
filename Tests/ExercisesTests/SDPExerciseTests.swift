import Exercises
import Testing

@Suite struct SDPExerciseTests {
    @Test("Every prefix and every changed byte of a rich description is survived, and what is accepted prints as it came")
    func mutations() {
        let rich = [
            "v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "a=ice-lite", "m=audio 4000 RTP/SAVP 96 0",
            "a=rtpmap:96 opus/48000/2", "a=fmtp:96 x=1", "a=rtcp:4001", "a=rtcp-mux",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", "a=ice-ufrag:abcd",
            "a=ice-pwd:0123456789012345678901", "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ srflx raddr 10.0.0.1 rport 9",
            "a=remote-candidates:1 192.0.2.3 45664", "m=image 9 udptl t38", "a=inactive",
        ]
        let bytes = Array(rich.map { $0 + "\r\n" }.joined().utf8)
        exerciseSDPParser(bytes)
        for at in bytes.indices {
            if at % 4 == 0 { exerciseSDPParser(Array(bytes[..<at])) }
            var changed = bytes
            changed[at] ^= [1, 0x20, 0x80, 0xff][at % 4]
            exerciseSDPParser(changed)
        }
    }
}
