#include "CSound.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// The few functions and values of libasound's stable interface that are used.
typedef struct snd_pcm snd_pcm;
enum { stream_playback = 0, stream_capture = 1, format_s16_le = 2, access_interleaved = 3 };

static struct {
    int (*open)(snd_pcm **, const char *, int stream, int mode);
    int (*set_params)(snd_pcm *, int format, int access, unsigned channels, unsigned rate, int resample, unsigned latency);
    long (*write)(snd_pcm *, const void *, unsigned long frames);
    long (*read)(snd_pcm *, void *, unsigned long frames);
    int (*recover)(snd_pcm *, int error, int silent);
    int (*start)(snd_pcm *);
    int (*close)(snd_pcm *);
    const char *(*describe)(int error);
    int (*set_error_handler)(void (*)(const char *, int, const char *, int, const char *, ...));
    bool isLoaded;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;

// What goes wrong is told by return values; the library would write it to standard error as well.
static void quiet(const char *file, int line, const char *function, int error, const char *format, ...) {
    (void)file;
    (void)line;
    (void)function;
    (void)error;
    (void)format;
}

static void load(void) {
    void *handle = dlopen("libasound.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    library.open = dlsym(handle, "snd_pcm_open");
    library.set_params = dlsym(handle, "snd_pcm_set_params");
    library.write = dlsym(handle, "snd_pcm_writei");
    library.read = dlsym(handle, "snd_pcm_readi");
    library.recover = dlsym(handle, "snd_pcm_recover");
    library.start = dlsym(handle, "snd_pcm_start");
    library.close = dlsym(handle, "snd_pcm_close");
    library.describe = dlsym(handle, "snd_strerror");
    library.set_error_handler = dlsym(handle, "snd_lib_error_set_handler");
    library.isLoaded = library.open && library.set_params && library.write && library.read && library.recover && library.start &&
        library.close && library.describe;
    if (library.isLoaded && library.set_error_handler) library.set_error_handler(quiet);
}

struct cs_device {
    snd_pcm *pcm;
};

bool cs_available(void) {
    pthread_once(&once, load);
    return library.isLoaded;
}

cs_device *cs_open(const char *name, bool records, unsigned rate, unsigned latencyMilliseconds, char *error, size_t errorSize) {
    if (!cs_available()) {
        snprintf(error, errorSize, "libasound is not installed");
        return NULL;
    }
    cs_device *device = calloc(1, sizeof *device);
    if (!device) {
        snprintf(error, errorSize, "memory is short");
        return NULL;
    }
    int result = library.open(&device->pcm, name, records ? stream_capture : stream_playback, 0);
    if (result < 0) {
        snprintf(error, errorSize, "%s", library.describe(result));
        free(device);
        return NULL;
    }
    result = library.set_params(device->pcm, format_s16_le, access_interleaved, 1, rate, 1, latencyMilliseconds * 1000);
    if (result >= 0 && records) result = library.start(device->pcm);
    if (result < 0) {
        snprintf(error, errorSize, "%s", library.describe(result));
        cs_close(device);
        return NULL;
    }
    return device;
}

static long settle(cs_device *device, long result) {
    if (result >= 0) return result;
    int recovered = library.recover(device->pcm, (int)result, 1);
    return recovered < 0 ? recovered : 0;
}

long cs_write(cs_device *device, const int16_t *samples, size_t count) {
    return settle(device, library.write(device->pcm, samples, count));
}

long cs_read(cs_device *device, int16_t *samples, size_t count) {
    return settle(device, library.read(device->pcm, samples, count));
}

void cs_close(cs_device *device) {
    if (!device) return;
    library.close(device->pcm);
    free(device);
}
