/* SPDX-License-Identifier: Apache-2.0 */
/* A cable between two network namespaces that takes its time: what goes into the device "slow" of one comes out of that of
 * the other after a delay. For systems whose kernel has no netem. Runs until it is killed.
 * usage: slow_link MICROSECONDS NAMESPACE NAMESPACE   (names under /run/netns; root only) */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 2048, MOST_PACKETS = 8192 };

struct packet {
    int64_t due; /* nanoseconds */
    size_t n;
    unsigned char bytes[MOST_BYTES];
};

/* What is on its way to one end; the oldest first. */
struct way {
    struct packet *packets; /* [MOST_PACKETS] in a ring */
    size_t first, n;
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int fail_with(const char *what) {
    fprintf(stderr, "slow_link: %s: %s\n", what, strerror(errno));
    return -1;
}

static int open_device(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    const int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) return fail_with(path);
    close(space);
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, "slow");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) return fail_with("/dev/net/tun");
    return fd;
}

/* All that the device has; what finds no room is lost, as on a cable. */
static void take_in(int fd, struct way *w, int64_t delay) {
    while (w->n < MOST_PACKETS) {
        struct packet *p = &w->packets[(w->first + w->n) % MOST_PACKETS];
        const ssize_t n = read(fd, p->bytes, MOST_BYTES);
        if (n <= 0) return;
        p->n = (size_t)n;
        p->due = now() + delay;
        w->n++;
    }
}

static void give_out(int fd, struct way *w) {
    for (; w->n > 0 && w->packets[w->first].due <= now(); w->first = (w->first + 1) % MOST_PACKETS, w->n--) {
        const struct packet *p = &w->packets[w->first];
        if (write(fd, p->bytes, p->n) < 0) continue; /* lost */
    }
}

static bool pass_on(const int fd[2], struct way way[2], int64_t delay) {
    struct pollfd polls[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[1], .events = POLLIN}};
    int64_t next = INT64_MAX;
    for (int i = 0; i < 2; i++)
        if (way[i].n && way[i].packets[way[i].first].due < next) next = way[i].packets[way[i].first].due;
    const int64_t begin = now(), left = next == INT64_MAX ? 1000000000 : next > begin ? next - begin : 0;
    const struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    if (ppoll(polls, 2, &wait, NULL) < 0 && errno != EINTR) return false;
    for (int i = 0; i < 2; i++) {
        take_in(fd[i], &way[1 - i], delay);
        give_out(fd[i], &way[i]);
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: slow_link MICROSECONDS NAMESPACE NAMESPACE\n");
        return 2;
    }
    const int64_t delay = atoll(argv[1]) * 1000;
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const int fd[2] = {open_device(argv[2]), open_device(argv[3])};
    if (home < 0 || setns(home, CLONE_NEWNET) != 0) return fail_with("/proc/self/ns/net") < 0; /* a host's end is not the link's */
    struct way way[2];
    for (int i = 0; i < 2; i++) {
        way[i] = (struct way){.packets = malloc(MOST_PACKETS * sizeof *way[i].packets)};
        if (fd[i] < 0 || !way[i].packets) return 1;
    }
    puts("ready");
    fflush(stdout);
    while (pass_on(fd, way, delay)) continue;
    return fail_with("poll") < 0;
}
