// What SRTP needs of libsrtp2: one context a direction, made from a suite and a master key with its salt (RFC 3711, RFC 7714).
// No policy beyond the library's own, except that the number of sources a context will follow is bounded.
#ifndef PINHOLE_CSRTP_H
#define PINHOLE_CSRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    ps_aes_cm_128_hmac_sha1_80,
    ps_aes_cm_128_hmac_sha1_32,
    ps_aes_cm_256_hmac_sha1_80,
    ps_aead_aes_128_gcm,
    ps_aead_aes_256_gcm,
} ps_suite;

/// The most bytes that protecting adds.
enum { ps_overhead = 20 };

/// One direction of a stream: RTP and RTCP of any source.
typedef struct ps_context ps_context;

/// `key`: master key and salt, as long as the suite wants. NULL: the suite is not in this build of the library, or memory is short.
ps_context *ps_create(ps_suite suite, const uint8_t *key, size_t keyLength, bool outbound);
void ps_destroy(ps_context *context);
/// In place; the new length, or -1. `capacity`: bytes of the buffer at `packet`.
long ps_protect(ps_context *context, uint8_t *packet, size_t length, size_t capacity, bool isRTCP);
long ps_unprotect(ps_context *context, uint8_t *packet, size_t length, bool isRTCP);

#endif
