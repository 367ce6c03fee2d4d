#include "CAudioCodecs.h"

#include <dlfcn.h>
#include <pthread.h>

// The few functions of libspandsp that are used; the states are opaque and made by the library.
static struct {
    void *(*encode_init)(void *, int rate, int options);
    int (*encode_free)(void *);
    int (*encode)(void *, uint8_t *, const int16_t *, int count);
    void *(*decode_init)(void *, int rate, int options);
    int (*decode_free)(void *);
    int (*decode)(void *, int16_t *, const uint8_t *, int length);
    bool is_loaded;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    // The two versions in use; what is called here is alike in both.
    void *handle = dlopen("libspandsp.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!handle) handle = dlopen("libspandsp.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    library.encode_init = dlsym(handle, "g722_encode_init");
    library.encode_free = dlsym(handle, "g722_encode_free");
    library.encode = dlsym(handle, "g722_encode");
    library.decode_init = dlsym(handle, "g722_decode_init");
    library.decode_free = dlsym(handle, "g722_decode_free");
    library.decode = dlsym(handle, "g722_decode");
    library.is_loaded = library.encode_init && library.encode_free && library.encode && library.decode_init && library.decode_free &&
        library.decode;
}

bool ca_g722_available(void) {
    pthread_once(&once, load);
    return library.is_loaded;
}

enum { bit_rate = 64000 };

ca_g722_encoder *ca_g722_encoder_create(void) {
    return ca_g722_available() ? library.encode_init(NULL, bit_rate, 0) : NULL;
}

void ca_g722_encoder_destroy(ca_g722_encoder *encoder) {
    if (encoder) library.encode_free(encoder);
}

size_t ca_g722_encode(ca_g722_encoder *encoder, const int16_t *samples, size_t count, uint8_t *payload) {
    int length = library.encode(encoder, payload, samples, (int)count);
    return length > 0 ? (size_t)length : 0;
}

ca_g722_decoder *ca_g722_decoder_create(void) {
    return ca_g722_available() ? library.decode_init(NULL, bit_rate, 0) : NULL;
}

void ca_g722_decoder_destroy(ca_g722_decoder *decoder) {
    if (decoder) library.decode_free(decoder);
}

size_t ca_g722_decode(ca_g722_decoder *decoder, const uint8_t *payload, size_t length, int16_t *samples) {
    int count = library.decode(decoder, samples, payload, (int)length);
    return count > 0 ? (size_t)count : 0;
}
