// One UDP socket connected to a server on the loopback, for the load generator.
#ifndef PINHOLE_BENCH_CSOCKETS_H
#define PINHOLE_BENCH_CSOCKETS_H

#include <stddef.h>
#include <stdint.h>

/// A non-blocking UDP socket on 127.0.0.1, connected to 127.0.0.1:port; -errno on failure. `local` gets its own port.
int bench_open(uint16_t port, uint16_t *local);
/// Sends one datagram, waiting for room where the buffer is full. 0 or -errno (a refused port shows here).
int bench_send(int fd, const uint8_t *bytes, size_t count);
/// One datagram's length, 0 when none waits, -errno on failure.
int bench_receive(int fd, uint8_t *buffer, size_t capacity);
/// Waits for a datagram: 1, or 0 when `milliseconds` have passed.
int bench_wait(int fd, int milliseconds);
/// CPU time of this thread and monotonic time, nanoseconds.
int64_t bench_thread_cpu(void);
int64_t bench_now(void);

#endif
