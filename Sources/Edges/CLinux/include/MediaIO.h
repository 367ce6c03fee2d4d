// UDP for relays: datagrams are received in batches, judged in place and sent on from the buffer they came in, without a copy.
#ifndef PINHOLE_MEDIAIO_H
#define PINHOLE_MEDIAIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Slots that datagrams are received into, and a queue of what of them is to be sent.
typedef struct pl_relay pl_relay;

/// `slots` datagrams; each has `slotSize` bytes, of which the last `room` are kept free for what sending may add.
pl_relay *pl_relay_create(unsigned slots, size_t slotSize, size_t room);
void pl_relay_destroy(pl_relay *relay);
/// Receives what waits, one datagram or, with `expectsMore`, up to all slots; forgets the queue. Returns how many, 0 when none waits, or
/// -errno.
int pl_relay_receive(pl_relay *relay, int fd, bool expectsMore);
uint8_t *pl_relay_payload(pl_relay *relay, unsigned slot);
/// Bytes of the datagram in a slot; 0 where it was longer than a slot and was cut.
size_t pl_relay_length(const pl_relay *relay, unsigned slot);
void pl_relay_source(const pl_relay *relay, unsigned slot, pl_address *source);
/// Queues the first `length` bytes of a slot. `source`: family 0 leaves the choice to the socket and the kernel.
void pl_relay_queue(pl_relay *relay, unsigned slot, size_t length, const pl_address *destination, const pl_address *source);
unsigned pl_relay_queued(const pl_relay *relay);
/// Sends the queue and empties it. Returns how many left.
unsigned pl_relay_flush(pl_relay *relay, int fd);

/// One datagram from anywhere in memory. 0 or -errno.
int pl_udp_send_one(int fd, const uint8_t *payload, size_t length, const pl_address *destination, const pl_address *source);
/// A bound, non-blocking UDP socket that tells nothing but who sent. Returns the descriptor or -errno.
int pl_media_open(const pl_address *local, int buffer);
/// A timer to be watched beside sockets: it stays set while packets come and go, where a deadline given to each wait would be set anew
/// for every one.
int pl_timer_create(void);
/// `monotonic`: nanoseconds of the monotonic clock; 0: never. Takes back what had expired.
void pl_timer_set(int fd, int64_t monotonic);
/// Lets this process open at least `wanted` descriptors where the system permits. Returns how many it may open now.
uint64_t pl_descriptor_limit(uint64_t wanted);
/// CPU time of the calling thread.
int64_t pl_thread_clock(void);
void pl_name_thread(const char *name);

#endif
