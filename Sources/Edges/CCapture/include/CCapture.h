// What live capture needs of the kernel and Swift cannot call well: packet sockets (packet(7)) with time stamps and lengths on the
// wire, and a descriptor that tells of Ctrl-C. No policy: every decision is the caller's.
#ifndef PINHOLE_CCAPTURE_H
#define PINHOLE_CCAPTURE_H

#include <stddef.h>
#include <stdint.h>

/// One packet as the kernel gave it, from its IP header on.
typedef struct {
    /// Octets held, and octets on the wire.
    uint32_t captured;
    uint32_t wire;
    /// Nanoseconds of CLOCK_REALTIME.
    int64_t time;
    /// EtherType, host order.
    uint16_t protocol;
    /// PACKET_OUTGOING and its kin.
    uint8_t direction;
    int32_t interface;
} pc_packet;

/// Slots for packets in one flat buffer.
typedef struct pc_ring pc_ring;

/// `slots` packets of at most `slotSize` octets. NULL when memory is short.
pc_ring *pc_ring_create(unsigned slots, size_t slotSize);
void pc_ring_destroy(pc_ring *ring);
const uint8_t *pc_ring_payload(const pc_ring *ring, unsigned slot);
pc_packet pc_ring_packet(const pc_ring *ring, unsigned slot);

/// A packet socket on an interface, or on all of them when `interface` is 0. Returns the descriptor or -errno.
int pc_open(int interface, int receiveBuffer);
/// Index of a network interface by its name, or -errno.
int pc_interface(const char *name);
/// 1 for a loopback interface, which shows every packet twice; 0 otherwise.
int pc_is_loopback(int interface);
/// Receives up to a ring of packets without waiting. Returns how many, or -errno.
int pc_receive(int fd, pc_ring *ring);
/// Packets the kernel dropped since it was last asked; 0 when it does not say.
unsigned pc_drops(int fd);

/// Blocks SIGINT and SIGTERM in this thread and those it starts; the descriptor becomes readable when one comes. -errno on failure.
/// A second signal after `pc_interrupts_restore` ends the program as usual.
int pc_interrupts(void);
void pc_interrupts_restore(int fd);

/// A listening or bound socket: `stream` 1 for TCP. `address` in digits; NULL: any, of both families. Returns it or -errno.
int pc_listen(const char *address, uint16_t port, int stream, uint16_t *bound);
int pc_accept(int fd);
/// Waits until one of `count` descriptors is readable; `ready` gets a 1 for each that is. Returns how many, or -errno; 0 after a signal.
int pc_wait(const int *descriptors, uint8_t *ready, unsigned count, int milliseconds);
/// Reads without waiting: octets, 0 at the end, -errno (-EAGAIN: nothing yet).
long pc_read(int fd, void *into, size_t count);
void pc_close(int fd);
/// A file without a name in `folder`, gone when it is closed. The descriptor or -errno.
int pc_temporary_file(const char *folder);

#endif
