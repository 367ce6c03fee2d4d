// Sound devices through libasound, which is loaded when it is asked for: a machine without it runs the same program. Mono, 16 bits.
#ifndef PINHOLE_CSOUND_H
#define PINHOLE_CSOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_device cs_device;

/// Whether libasound can be loaded.
bool cs_available(void);

/// Opens a device for playing or recording at `rate` Hz with about `latencyMilliseconds` of buffer. NULL: `error` says why (at most
/// `errorSize` bytes, terminated).
cs_device *cs_open(const char *name, bool records, unsigned rate, unsigned latencyMilliseconds, char *error, size_t errorSize);

/// Plays or records `count` samples, blocking; after a gap it goes on by itself. The number of samples, or a negative errno.
long cs_write(cs_device *device, const int16_t *samples, size_t count);
long cs_read(cs_device *device, int16_t *samples, size_t count);

void cs_close(cs_device *device);

#endif
