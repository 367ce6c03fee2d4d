// What calls need of libopus (RFC 6716) and of libspandsp's G.722, each loaded when first asked for: neither has to be there to build
// or to run, and a server without them still speaks G.711.
#ifndef PINHOLE_CAUDIOCODECS_H
#define PINHOLE_CAUDIOCODECS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether the library is on this machine, with every function that is used.
bool ca_opus_available(void);
bool ca_g722_available(void);

typedef struct ca_opus_encoder ca_opus_encoder;
typedef struct ca_opus_decoder ca_opus_decoder;
typedef struct ca_g722_encoder ca_g722_encoder;
typedef struct ca_g722_decoder ca_g722_decoder;

/// One channel. `rate`: 8,000, 12,000, 16,000, 24,000 or 48,000. NULL: it cannot be had.
/// `bitRate`: bits a second, 0: the library's choice. `complexity`: 0 to 10. `fec`: RFC 7587 7.1 useinbandfec.
ca_opus_encoder *ca_opus_encoder_create(int rate, int bitRate, int complexity, bool fec, bool constantBitRate);
void ca_opus_encoder_destroy(ca_opus_encoder *encoder);
/// `count` samples, whole 2.5 ms up to 120 ms; lengths that Opus has no frame for are put together of 10 ms. The payload's length, or 0.
size_t ca_opus_encode(ca_opus_encoder *encoder, const int16_t *samples, size_t count, uint8_t *payload, size_t capacity);

ca_opus_decoder *ca_opus_decoder_create(int rate);
void ca_opus_decoder_destroy(ca_opus_decoder *decoder);
/// The number of samples, or 0: not Opus, or `capacity` is too small for what it holds.
size_t ca_opus_decode(ca_opus_decoder *decoder, const uint8_t *payload, size_t length, int16_t *samples, size_t capacity);
/// What may have been in a lost packet of `count` samples (whole 2.5 ms up to 120 ms). False: not that length.
bool ca_opus_conceal(ca_opus_decoder *decoder, int16_t *samples, size_t count);

/// 64 kbit/s, 16,000 samples a second; one octet holds two samples.
ca_g722_encoder *ca_g722_encoder_create(void);
void ca_g722_encoder_destroy(ca_g722_encoder *encoder);
/// An even number of samples; the payload is half as long.
size_t ca_g722_encode(ca_g722_encoder *encoder, const int16_t *samples, size_t count, uint8_t *payload);

ca_g722_decoder *ca_g722_decoder_create(void);
void ca_g722_decoder_destroy(ca_g722_decoder *decoder);
/// `samples` has room for twice `length`.
size_t ca_g722_decode(ca_g722_decoder *decoder, const uint8_t *payload, size_t length, int16_t *samples);

#endif
