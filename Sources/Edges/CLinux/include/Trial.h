// A small network of namespaces (namespaces(7)) that an ordinary user may make: a program behind a router, and what lies before it.
#ifndef PINHOLE_TRIAL_H
#define PINHOLE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

/// What is to run where. Nothing is kept of it.
typedef struct {
    /// The program's own, such as "192.168.1.64/24", and the router's towards it.
    const char *address;
    const char *gateway;
    /// What /etc/resolv.conf says there.
    const char *resolvers;
    char *const *command;
    /// Whether the program is root in its namespaces, where it is not root without.
    bool isRoot;
    /// The same before the router; NULL: nothing is there. What it says goes to a descriptor.
    const char *serverAddress;
    char *const *server;
    int serverOutput;
} pl_trial;

/// Makes the namespaces, in a process of their own. Returns its identifier or -errno; `channel`: where to ask how it goes.
int pl_trial_start(const pl_trial *trial, int *channel);

/// Waits until all is there: packet sockets on the router's interfaces, -1 where there is none. False: `problem` says what failed.
bool pl_trial_receive(int channel, int *inside, int *outside, char *problem, size_t size);

/// Begins the program, once the router is there.
void pl_trial_go(int channel);

#endif
