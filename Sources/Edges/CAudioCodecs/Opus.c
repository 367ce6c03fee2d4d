#include "CAudioCodecs.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

// The few functions and values of libopus' stable interface that are used.
typedef struct OpusEncoder OpusEncoder;
typedef struct OpusDecoder OpusDecoder;
typedef struct OpusRepacketizer OpusRepacketizer;
enum {
    application_voip = 2048,
    set_bit_rate = 4002,
    set_vbr = 4006,
    set_complexity = 4010,
    set_inband_fec = 4012,
    set_packet_loss_percent = 4014,
    longest_ms = 120,
    part_ms = 10,
    // Of one part of 10 ms: 510 kbit/s, the most Opus has.
    part_bytes = 640,
};

static struct {
    OpusEncoder *(*encoder_create)(int32_t rate, int channels, int application, int *error);
    void (*encoder_destroy)(OpusEncoder *);
    int (*encoder_ctl)(OpusEncoder *, int request, ...);
    int32_t (*encode)(OpusEncoder *, const int16_t *, int count, unsigned char *, int32_t capacity);
    OpusDecoder *(*decoder_create)(int32_t rate, int channels, int *error);
    void (*decoder_destroy)(OpusDecoder *);
    int (*decode)(OpusDecoder *, const unsigned char *, int32_t length, int16_t *, int count, int fec);
    OpusRepacketizer *(*repacketizer_create)(void);
    void (*repacketizer_destroy)(OpusRepacketizer *);
    OpusRepacketizer *(*repacketizer_init)(OpusRepacketizer *);
    int (*repacketizer_cat)(OpusRepacketizer *, const unsigned char *, int32_t length);
    int32_t (*repacketizer_out)(OpusRepacketizer *, unsigned char *, int32_t capacity);
    bool is_loaded;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *handle = dlopen("libopus.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    library.encoder_create = dlsym(handle, "opus_encoder_create");
    library.encoder_destroy = dlsym(handle, "opus_encoder_destroy");
    library.encoder_ctl = dlsym(handle, "opus_encoder_ctl");
    library.encode = dlsym(handle, "opus_encode");
    library.decoder_create = dlsym(handle, "opus_decoder_create");
    library.decoder_destroy = dlsym(handle, "opus_decoder_destroy");
    library.decode = dlsym(handle, "opus_decode");
    library.repacketizer_create = dlsym(handle, "opus_repacketizer_create");
    library.repacketizer_destroy = dlsym(handle, "opus_repacketizer_destroy");
    library.repacketizer_init = dlsym(handle, "opus_repacketizer_init");
    library.repacketizer_cat = dlsym(handle, "opus_repacketizer_cat");
    library.repacketizer_out = dlsym(handle, "opus_repacketizer_out");
    library.is_loaded = library.encoder_create && library.encoder_destroy && library.encoder_ctl && library.encode &&
        library.decoder_create && library.decoder_destroy && library.decode && library.repacketizer_create &&
        library.repacketizer_destroy && library.repacketizer_init && library.repacketizer_cat && library.repacketizer_out;
}

bool ca_opus_available(void) {
    pthread_once(&once, load);
    return library.is_loaded;
}

struct ca_opus_encoder {
    OpusEncoder *encoder;
    OpusRepacketizer *repacketizer;
    int rate;
};

struct ca_opus_decoder {
    OpusDecoder *decoder;
    int rate;
};

ca_opus_encoder *ca_opus_encoder_create(int rate, int bit_rate, int complexity, bool fec, bool constant_bit_rate) {
    if (!ca_opus_available()) return NULL;
    ca_opus_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return NULL;
    int error = 0;
    encoder->rate = rate;
    encoder->encoder = library.encoder_create(rate, 1, application_voip, &error);
    encoder->repacketizer = library.repacketizer_create();
    if (!encoder->encoder || !encoder->repacketizer) {
        ca_opus_encoder_destroy(encoder);
        return NULL;
    }
    if (bit_rate > 0) library.encoder_ctl(encoder->encoder, set_bit_rate, (int32_t)bit_rate);
    library.encoder_ctl(encoder->encoder, set_complexity, (int32_t)complexity);
    library.encoder_ctl(encoder->encoder, set_vbr, (int32_t)!constant_bit_rate);
    library.encoder_ctl(encoder->encoder, set_inband_fec, (int32_t)fec);
    // Without an expected loss the encoder puts no redundancy in.
    if (fec) library.encoder_ctl(encoder->encoder, set_packet_loss_percent, (int32_t)5);
    return encoder;
}

void ca_opus_encoder_destroy(ca_opus_encoder *encoder) {
    if (!encoder) return;
    if (encoder->encoder) library.encoder_destroy(encoder->encoder);
    if (encoder->repacketizer) library.repacketizer_destroy(encoder->repacketizer);
    free(encoder);
}

/// Whether Opus has a frame of so many samples (RFC 6716 2.1.4), or packs frames into one of its own accord.
static bool is_frame(size_t count, int rate) {
    size_t quarters = count * 400 / rate;
    if (count * 400 % rate) return false;
    return quarters == 1 || quarters == 2 || quarters == 4 || quarters == 8 || quarters == 16 || quarters == 24;
}

size_t ca_opus_encode(ca_opus_encoder *encoder, const int16_t *samples, size_t count, uint8_t *payload, size_t capacity) {
    if (count == 0 || count * 1000 > (size_t)encoder->rate * longest_ms || capacity > INT32_MAX) return 0;
    if (is_frame(count, encoder->rate)) {
        int32_t length = library.encode(encoder->encoder, samples, (int)count, payload, (int32_t)capacity);
        return length > 0 ? (size_t)length : 0;
    }
    size_t part = (size_t)encoder->rate * part_ms / 1000;
    if (count % part) return 0;
    static _Thread_local uint8_t parts[longest_ms / part_ms][part_bytes];
    library.repacketizer_init(encoder->repacketizer);
    for (size_t i = 0; i < count / part; i++) {
        int32_t length = library.encode(encoder->encoder, samples + i * part, (int)part, parts[i], part_bytes);
        if (length <= 0) return 0;
        // Frames of another mode or bandwidth do not go into the same packet: what is there by then is sent.
        if (library.repacketizer_cat(encoder->repacketizer, parts[i], length)) break;
    }
    int32_t length = library.repacketizer_out(encoder->repacketizer, payload, (int32_t)capacity);
    return length > 0 ? (size_t)length : 0;
}

ca_opus_decoder *ca_opus_decoder_create(int rate) {
    if (!ca_opus_available()) return NULL;
    ca_opus_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return NULL;
    int error = 0;
    decoder->rate = rate;
    decoder->decoder = library.decoder_create(rate, 1, &error);
    if (!decoder->decoder) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void ca_opus_decoder_destroy(ca_opus_decoder *decoder) {
    if (!decoder) return;
    library.decoder_destroy(decoder->decoder);
    free(decoder);
}

size_t ca_opus_decode(ca_opus_decoder *decoder, const uint8_t *payload, size_t length, int16_t *samples, size_t capacity) {
    if (length == 0 || length > INT32_MAX || capacity > INT32_MAX) return 0;
    int count = library.decode(decoder->decoder, payload, (int32_t)length, samples, (int)capacity, 0);
    return count > 0 ? (size_t)count : 0;
}

bool ca_opus_conceal(ca_opus_decoder *decoder, int16_t *samples, size_t count) {
    if (count == 0 || count * 400 % decoder->rate || count * 1000 > (size_t)decoder->rate * longest_ms) return false;
    return library.decode(decoder->decoder, NULL, 0, samples, (int)count, 0) == (int)count;
}
