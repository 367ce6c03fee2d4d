// What the datagram edge needs of the kernel and Swift cannot call well: batched UDP I/O with the local address of every
// datagram (recvmmsg, sendmmsg, IP_PKTINFO), epoll and eventfd. No policy: every decision is the caller's.
#ifndef PINHOLE_CLINUX_H
#define PINHOLE_CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// An address and port of either family. `family`: 4 or 6. IPv4 uses the first four bytes. Port in host order.
typedef struct {
    uint8_t family;
    uint8_t bytes[16];
    uint16_t port;
    uint32_t scope;
} pl_address;

/// A fixed number of datagram slots in one flat buffer, with the headers the kernel wants.
typedef struct pl_batch pl_batch;

/// `slots` datagrams of at most `slotSize` bytes. NULL when memory is short.
pl_batch *pl_batch_create(unsigned slots, size_t slotSize);
void pl_batch_destroy(pl_batch *batch);
unsigned pl_batch_slots(const pl_batch *batch);
uint8_t *pl_batch_payload(pl_batch *batch, unsigned slot);
size_t pl_batch_length(const pl_batch *batch, unsigned slot);
/// Where a received datagram came from.
pl_address pl_batch_source(const pl_batch *batch, unsigned slot);
/// The local address a received datagram was sent to; family 0 where the socket is bound to one address, and is not told.
pl_address pl_batch_local(const pl_batch *batch, unsigned slot);
/// Fills a slot's headers for sending `length` bytes of its payload to `destination`, from `source` (family 0: kernel's choice).
void pl_batch_address(pl_batch *batch, unsigned slot, size_t length, const pl_address *destination, const pl_address *source);

/// A bound, non-blocking UDP socket, with packet information where it is bound to all addresses. Returns the descriptor or -errno. `bound` gets the real port.
/// `hearErrors`: ICMP errors about what it sent are kept for `pl_udp_error`.
int pl_udp_open(const pl_address *local, bool sharePort, bool hearErrors, int receiveBuffer, pl_address *bound);
/// The next ICMP error the socket heard: its errno, with whom the datagram was meant for; 0 when there is none.
int pl_udp_error(int fd, pl_address *destination);
/// Receives up to a batch. Returns how many, 0 when none waits, or -errno.
int pl_udp_receive(int fd, pl_batch *batch);
/// Sends slots `from`..<`to`. Returns how many left, or -errno of the first that did not.
int pl_udp_send(int fd, pl_batch *batch, unsigned from, unsigned to);

int pl_epoll_create(void);
/// Watches `fd` for input under `tag`. 0 or -errno.
int pl_epoll_add(int epoll, int fd, uint64_t tag);
/// Watches `fd` under `tag` for input (1), for room to write (2) or for nothing (0), whatever it was watched for. 0 or -errno.
int pl_epoll_set(int epoll, int fd, uint64_t tag, int interest);
/// Waits at most `nanoseconds` (negative: for ever). Writes ready tags; returns how many or -errno (0 also after a signal).
int pl_epoll_wait(int epoll, uint64_t *tags, int capacity, int64_t nanoseconds);

int pl_eventfd_create(void);
void pl_eventfd_signal(int fd);
void pl_eventfd_drain(int fd);
void pl_close(int fd);
/// accept4(2), close-on-exec: a descriptor or -errno.
int pl_accept(int fd);
/// Whose process is at the other end of a Unix socket (SO_PEERCRED): a user id or -errno.
int64_t pl_peer_user(int fd);

/// Nanoseconds of CLOCK_REALTIME and CLOCK_MONOTONIC.
int64_t pl_wall_clock(void);
int64_t pl_monotonic_clock(void);
/// Fills `buffer` from the operating system's generator. 0 or -errno.
int pl_random(void *buffer, size_t count);
/// The CPU time this process has used, nanoseconds.
int64_t pl_cpu_clock(void);
/// The text of an errno value, in a buffer of the caller's.
void pl_error_text(int error, char *buffer, size_t capacity);

/// The local address the kernel would send to `destination` from: no packet leaves. 0 or -errno.
int pl_route_source(const pl_address *destination, pl_address *source);

#include "MediaIO.h"
#include "PacketIO.h"
#include "Trial.h"

#endif
