#define _GNU_SOURCE
#include "Trial.h"
#include "PacketIO.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs in a forked child, in which there is one thread: unshare(2) refuses a new user namespace to a process of several.

#define WORDS 16

typedef struct {
    bool isUser;
    uid_t user;
    gid_t group;
    int channel;
} pl_maker;

static void fail(int channel, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    send(channel, text, strlen(text), MSG_NOSIGNAL);
    _exit(71);
}

static bool writeFile(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return done;
}

/// A user namespace in which `inner` is who we are now.
static bool enterUserNamespace(uid_t innerUser, uid_t user, gid_t innerGroup, gid_t group) {
    char map[64];
    if (unshare(CLONE_NEWUSER) < 0) return false;
    writeFile("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", innerUser, user);
    if (!writeFile("/proc/self/uid_map", map)) return false;
    snprintf(map, sizeof map, "%u %u 1", innerGroup, group);
    return writeFile("/proc/self/gid_map", map);
}

/// iproute2's ip, with the words of a line.
static void ip(int channel, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    char words[sizeof line];
    strcpy(words, line);
    char *argv[WORDS + 1] = {"ip"};
    int count = 1;
    for (char *rest = NULL, *word = strtok_r(words, " ", &rest); word && count < WORDS; word = strtok_r(NULL, " ", &rest)) argv[count++] = word;
    pid_t child = fork();
    if (child < 0) fail(channel, "fork: %s", strerror(errno));
    if (child == 0) {
        execvp("ip", argv);
        // Where ordinary users do not look for it.
        execv("/usr/sbin/ip", argv);
        execv("/sbin/ip", argv);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) fail(channel, "the program ip is missing; it comes with the package iproute2");
    if (status != 0) fail(channel, "ip %s: failed", line);
}

static void await(int fd) {
    char byte;
    ssize_t count;
    while ((count = read(fd, &byte, 1)) < 0 && errno == EINTR) {}
    if (count <= 0) _exit(71);
}

static void tell(int fd) {
    ssize_t count;
    while ((count = write(fd, "!", 1)) < 0 && errno == EINTR) {}
}

/// Two programs wait for each other over a pair of sockets. In the child: its end; in the parent its own, once the child has a network of its own.
static pid_t forkIntoNetwork(int channel, int *end) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) fail(channel, "socketpair: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) fail(channel, "fork: %s", strerror(errno));
    close(pair[child == 0 ? 0 : 1]);
    *end = pair[child == 0 ? 1 : 0];
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0) fail(channel, "a network namespace: %s", strerror(errno));
        tell(*end);
        await(*end);
    } else {
        await(*end);
    }
    return child;
}

/// The kernel sees both ends of a cable a moment after they are up, and sends nothing before.
static void awaitCarrier(const char *name) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    strcpy(request.ifr_name, name);
    for (int turn = 0; turn < 300; turn++) {
        if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING) break;
        usleep(10000);
    }
    close(fd);
}

static void configure(int channel, const char *address, const char *gateway) {
    ip(channel, "link set lo up");
    ip(channel, "address add %s dev eth0", address);
    ip(channel, "link set eth0 up");
    awaitCarrier("eth0");
    if (gateway) ip(channel, "route add default via %s", gateway);
}

static void setResolvers(const char *text) {
    char path[] = "/tmp/pinhole-resolv.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return;
    bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0;
    close(fd);
    // What the file was is under the mount; it comes back with the namespace's end.
    if (!done || mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0) {
        fprintf(stderr, "pinhole: /etc/resolv.conf could not be replaced (%s); names are looked up as without the router\n", strerror(errno));
    }
    unlink(path);
    // Resolvers of the host that answer over a socket, past the router.
    mount("/dev/null", "/run/systemd/resolve/io.systemd.Resolve", NULL, MS_BIND, NULL);
    mount("/dev/null", "/run/nscd/socket", NULL, MS_BIND, NULL);
}

static void run(const pl_maker *maker, const pl_trial *trial, int end) {
    configure(maker->channel, trial->address, trial->gateway);
    // What ping without rights of its own takes.
    writeFile("/proc/sys/net/ipv4/ping_group_range", maker->isUser ? "0 0" : "0 2147483647");
    tell(end);
    await(end);
    setResolvers(trial->resolvers);
    if (maker->isUser && !trial->isRoot && !enterUserNamespace(maker->user, 0, maker->group, 0)) {
        fprintf(stderr, "pinhole: it runs as root of its namespace, as it cannot be your user there (%s)\n", strerror(errno));
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(trial->command[0], trial->command);
    fprintf(stderr, "pinhole: %s: %s\n", trial->command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int packetSocket(int channel, const char *name) {
    pl_interface found;
    int error = pl_interface_find(name, &found);
    int fd = error ? error : pl_packet_open(found.index, 4 << 20);
    if (fd < 0) fail(channel, "a packet socket: %s", strerror(-fd));
    return fd;
}

static void make(pl_maker *maker, const pl_trial *trial) {
    int channel = maker->channel;
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
        maker->isUser = true;
        if (!enterUserNamespace(0, maker->user, 0, maker->group) || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
            fail(channel, "this machine does not let an ordinary user make namespaces (%s); as root it works, or after sysctl "
                "kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces "
                "above 0", strerror(errno));
        }
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail(channel, "mount: %s", strerror(errno));
    // On the router's side the kernel keeps still.
    writeFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");

    int end, serverEnd = -1;
    pid_t program = forkIntoNetwork(channel, &end);
    if (program == 0) run(maker, trial, end);
    ip(channel, "link add lan0 type veth peer name eth0 netns %d", program);
    ip(channel, "link set lan0 up");
    int sockets[2] = {packetSocket(channel, "lan0"), -1};
    if (trial->serverAddress) {
        pid_t server = forkIntoNetwork(channel, &serverEnd);
        if (server == 0) {
            configure(channel, trial->serverAddress, NULL);
            dup2(trial->serverOutput, STDOUT_FILENO);
            dup2(trial->serverOutput, STDERR_FILENO);
            int nothing = open("/dev/null", O_RDONLY);
            dup2(nothing, STDIN_FILENO);
            tell(serverEnd);
            // Ctrl-C is the program's.
            setpgid(0, 0);
            execv("/proc/self/exe", trial->server);
            _exit(127);
        }
        ip(channel, "link add wan0 type veth peer name eth0 netns %d", server);
        ip(channel, "link set wan0 up");
        sockets[1] = packetSocket(channel, "wan0");
        tell(serverEnd);
        await(serverEnd);
    }
    tell(end);
    await(end);

    int count = sockets[1] < 0 ? 1 : 2;
    struct iovec text = {"", 1};
    char control[CMSG_SPACE(sizeof sockets)] = {0};
    struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), sockets, (size_t)count * sizeof(int));
    if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) _exit(71);
    await(channel);
    tell(end);

    // Its end is ours, and with ours the server's.
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    int status = 0;
    while (waitpid(program, &status, 0) < 0 && errno == EINTR) {}
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

int pl_trial_start(const pl_trial *trial, int *channel) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        close(pair[0]);
        close(pair[1]);
        return -error;
    }
    close(pair[child == 0 ? 0 : 1]);
    if (child == 0) {
        pl_maker maker = {.user = geteuid(), .group = getegid(), .channel = pair[1]};
        make(&maker, trial);
    }
    *channel = pair[0];
    return child;
}

bool pl_trial_receive(int channel, int *inside, int *outside, char *problem, size_t size) {
    struct iovec text = {problem, size - 1};
    char control[CMSG_SPACE(2 * sizeof(int))];
    struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count;
    while ((count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {}
    struct cmsghdr *header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS) {
        problem[count > 0 ? count : 0] = 0;
        return false;
    }
    int sockets[2] = {-1, -1};
    memcpy(sockets, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    *inside = sockets[0];
    *outside = sockets[1];
    return true;
}

void pl_trial_go(int channel) {
    tell(channel);
}
