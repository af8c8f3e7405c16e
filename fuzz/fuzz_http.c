/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes sent to the server of a small shop, and no more after them: it answers in HTTP or hangs up, and answers the next
 * client. */
#include "fuzz.h"

#include "serve/http.h"
#include "support/small_shop.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SECONDS = 5, ANSWER = 1 << 16 };

static struct service *service;
static struct http *http;
static char store[128], added[128];

static void finish(void) {
    http_stop(http);
    service_close(service);
    small_shop_remove();
}

/* The fuzzer's clock must not end connect() with EINTR. */
static void restart_after_alarms(void) {
    struct sigaction alarms;
    must(sigaction(SIGALRM, NULL, &alarms) == 0);
    alarms.sa_flags |= SA_RESTART;
    must(sigaction(SIGALRM, &alarms, NULL) == 0);
}

static void start(void) {
    const char *workspace = small_shop_create(NULL);
    snprintf(store, sizeof store, "sqlite:%s/events.sqlite", workspace);
    snprintf(added, sizeof added, "%s/added.sqlite", workspace);
    const struct service_setting setting = {.workspace = workspace, .run = "one", .store = store};
    const struct http_options options = {.address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                         .only_loopback = true, .log = -1, .max_connections = 64, .timeout = SECONDS};
    must(service_open(&setting, &service, NULL) == GENAIR_OK);
    must(http_start(service, &options, &http, NULL) == GENAIR_OK);
    must(atexit(finish) == 0);
    restart_after_alarms();
}

/* What comes back until the server hangs up: its first bytes, a text. The server may hang up before all is sent. */
static size_t ask(const uint8_t *data, size_t size, char answer[ANSWER + 1]) {
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(http)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static uint16_t turn; /* of addresses, each of which has ports of its own: those of closed connections rest for a minute */
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (1u << 16) + turn++)};
    const struct timeval limit = {2 * SECONDS, 0};
    const struct linger reset = {1, 0}; /* no port waits for what may still come */
    size_t n = 0;
    ssize_t got;
    must(s >= 0 && bind(s, (const struct sockaddr *)&from, sizeof from) == 0 && connect(s, (const struct sockaddr *)&to, sizeof to) == 0);
    must(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    must(setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    for (size_t sent = 0; sent < size && (got = send(s, data + sent, size - sent, MSG_NOSIGNAL)) > 0;) sent += (size_t)got;
    shutdown(s, SHUT_WR);
    while ((got = recv(s, answer + n, ANSWER - n, 0)) > 0)
        if (n < ANSWER / 2) n += (size_t)got;
    must(got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)); /* nobody is kept waiting */
    close(s);
    answer[n] = '\0';
    return n;
}

/* The threads of clients that have gone may take a moment to end, and until then count as connections. */
static bool lives(void) {
    static const char question[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char answer[ANSWER + 1];
    for (int i = 0; i < SECONDS * 1000; i++) {
        if (ask((const uint8_t *)question, sizeof question - 1, answer) > 12) return strncmp(answer + 9, "200", 3) == 0;
        usleep(1000);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char answer[ANSWER + 1];
    if (!service) start();
    if (ask(data, size, answer) > 12) must(strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 9, "500", 3) != 0);
    must(lives());
    remove(added); /* else each item makes the next slower */
    return 0;
}
