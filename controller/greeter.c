/* SPDX-License-Identifier: Apache-2.0
 *
 * greeter.c - TLS handshakes, on a thread of their own: a private-key operation takes a millisecond
 * or more, and no switch that is connected shall wait for strangers who knock. The thread runs at a
 * lower priority for the same reason. It is there only if there is an ssl: address.
 *
 * The main thread mails accepted sockets; who is let in goes on to a worker, who is not gets a line
 * in the log, a counter and a bad-peer event. Bounded: so much time for each, and so many at once;
 * then the oldest of the address that has the most makes room, so that a crowd that comes and
 * stalls pushes itself out and keeps no switch waiting.
 *
 * Neighbours: tls.c (the handshake itself), listener.c (mails them), worker.c (takes them).
 */
#include "controller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <trivet/clock.h>

#include "connection.h"

#define GREETINGS_MAX 2048 /* handshakes at once */
#define EVENTS_MAX 64
#define TICK_MS 100
#define NICE 5
#define SOURCES 256 /* a power of two */

/* One peer whose handshake goes on. */
struct greeting {
    struct greeting *older, *newer; /* of its source */
    struct source *source;          /* borrowed from the greeter */
    int fd;                         /* owned */
    struct ctl_tls *tls;            /* owned */
    uint32_t interest;              /* of epoll */
    uint64_t since_ns;              /* monotonic: when it was accepted */
    char address[CTL_ADDRESS_MAX];
};

/* Peers of one address, or of several with the same hash. */
struct source {
    struct greeting *oldest, *newest; /* owned */
    unsigned n;
};

struct ctl_greeter {
    struct ctl_app *app; /* borrowed; mailboxes only */
    pthread_t thread;
    int epoll;
    struct ctl_mailbox mailbox;
    struct source sources[SOURCES];
    unsigned n, n_passed; /* greetings now, and connections passed on */
    bool stop;
    struct sb_log_limit limit;
    struct ctl_counters counters;
    struct ctl_counted counted;
};

/* ---- refusing ------------------------------------------------------------------------- */

static void
post_event(struct ctl_greeter *greeter, const char *address, const char *why)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_M_EVENT, 0, sizeof(struct sb_event));
    struct sb_event *event = (void *)mail->data;

    event->t_ns = sb_now();
    event->kind = SB_event_kind_BAD_PEER;
    event->severity = SB_severity_WARNING;
    snprintf(event->text, sizeof(event->text), "%s: TLS: %s", address, why);
    ctl_post(&greeter->app->mailbox, mail);
}

static void
refuse(struct ctl_greeter *greeter, const char *address, const char *why)
{
    unsigned more = 0;
    char others[40] = "";

    if (!sb_log_allowed(&greeter->limit, 10, &more))
        return;
    if (more > 0)
        snprintf(others, sizeof(others), " (%u more not logged)", more);
    sb_warning("switch from %s: TLS: %s, closing%s", address, why, others);
    post_event(greeter, address, why);
}

static void
end_greeting(struct ctl_greeter *greeter, struct greeting *greeting)
{
    struct source *source = greeting->source;

    *(greeting->older != NULL ? &greeting->older->newer : &source->oldest) = greeting->newer;
    *(greeting->newer != NULL ? &greeting->newer->older : &source->newest) = greeting->older;
    source->n--;
    greeter->n--;
    ctl_tls_free(&greeting->tls);
    if (greeting->fd >= 0)
        close(greeting->fd);
    free(greeting);
}

static void
count(struct ctl_counters *counters, enum ctl_tls_refusal refusal)
{
    switch (refusal) {
    case CTL_TLS_NO_CERTIFICATE:
        counters->tls_no_certificate++;
        break;
    case CTL_TLS_BAD_CERTIFICATE:
        counters->tls_bad_certificate++;
        break;
    case CTL_TLS_PLAINTEXT:
        counters->tls_plaintext++;
        break;
    case CTL_TLS_GONE:
    case CTL_TLS_OTHER:
        counters->tls_failed++;
        break;
    }
}

/* ---- greeting ---------------------------------------------------------------------------- */

static void
pass_on(struct ctl_greeter *greeter, struct greeting *greeting)
{
    struct ctl_app *app = greeter->app;
    struct ctl_mail_accept *accepted;
    struct ctl_mail *mail = ctl_mail_new(CTL_W_ACCEPT, 0, sizeof(*accepted));

    accepted = (void *)mail->data;
    accepted->fd = greeting->fd;
    accepted->tls = greeting->tls;
    accepted->opened_ns = greeting->since_ns;
    memcpy(accepted->address, greeting->address, sizeof(accepted->address));
    epoll_ctl(greeter->epoll, EPOLL_CTL_DEL, greeting->fd, NULL);
    greeting->fd = -1;
    greeting->tls = NULL;
    end_greeting(greeter, greeting);
    ctl_post(&app->workers[greeter->n_passed++ % app->n_workers].mailbox, mail);
}

static void
step(struct ctl_greeter *greeter, struct greeting *greeting)
{
    int result = ctl_tls_handshake(greeting->tls);
    struct epoll_event event = {.data.ptr = greeting};

    if (result == 1) {
        pass_on(greeter, greeting);
        return;
    }
    if (result < 0) {
        count(&greeter->counters, ctl_tls_refusal(greeting->tls));
        refuse(greeter, greeting->address, ctl_tls_error(greeting->tls));
        end_greeting(greeter, greeting);
        return;
    }
    event.events = ctl_tls_waits_out(greeting->tls) ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (event.events != greeting->interest) {
        greeting->interest = event.events;
        epoll_ctl(greeter->epoll, EPOLL_CTL_MOD, greeting->fd, &event);
    }
}

/* "192.0.2.1:34567", "[2001:db8::1]:34567": without the port, which anybody has many of. */
static struct source *
source_of(struct ctl_greeter *greeter, const char *address)
{
    const char *end = strrchr(address, ':');
    uint32_t hash = 2166136261;

    for (const char *p = address; *p != '\0' && p != end; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619;
    return &greeter->sources[hash & (SOURCES - 1)];
}

static void
make_room(struct ctl_greeter *greeter)
{
    struct source *most = &greeter->sources[0];

    for (unsigned i = 1; i < SOURCES; i++)
        if (greeter->sources[i].n > most->n)
            most = &greeter->sources[i];
    greeter->counters.tls_crowd++;
    refuse(greeter, most->oldest->address, "too many handshakes at once, and this one is old");
    end_greeting(greeter, most->oldest);
}

static void
begin(struct ctl_greeter *greeter, const struct ctl_mail_accept *accepted)
{
    struct greeting *greeting = calloc(1, sizeof(*greeting));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = greeting};
    struct ctl_tls *tls = accepted->tls;

    if (greeting == NULL) {
        greeter->counters.tls_failed++;
        refuse(greeter, accepted->address, "out of memory");
        ctl_tls_free(&tls);
        close(accepted->fd);
        return;
    }
    if (greeter->n == GREETINGS_MAX)
        make_room(greeter);
    greeting->fd = accepted->fd;
    greeting->tls = tls;
    greeting->since_ns = accepted->opened_ns;
    greeting->interest = EPOLLIN;
    memcpy(greeting->address, accepted->address, sizeof(greeting->address));
    greeting->source = source_of(greeter, accepted->address);
    greeting->older = greeting->source->newest;
    *(greeting->older != NULL ? &greeting->older->newer : &greeting->source->oldest) = greeting;
    greeting->source->newest = greeting;
    greeting->source->n++;
    greeter->n++;
    if (epoll_ctl(greeter->epoll, EPOLL_CTL_ADD, greeting->fd, &event) < 0) {
        greeter->counters.tls_failed++;
        refuse(greeter, greeting->address, strerror(errno));
        end_greeting(greeter, greeting);
    }
}

static void
expire(struct ctl_greeter *greeter)
{
    uint64_t now = sb_mono();
    char why[64];

    snprintf(why, sizeof(why), "the handshake took longer than %u s",
             (unsigned)(CTL_HELLO_NS / SB_SECOND));
    for (unsigned i = 0; i < SOURCES && greeter->n > 0; i++)
        for (struct greeting *oldest; (oldest = greeter->sources[i].oldest) != NULL &&
                                      now - oldest->since_ns > CTL_HELLO_NS;) {
            greeter->counters.tls_stalled++;
            refuse(greeter, oldest->address, why);
            end_greeting(greeter, oldest);
        }
}

/* ---- the loop ---------------------------------------------------------------------------- */

static void
take_mail(struct ctl_greeter *greeter, const struct ctl_mail *mail)
{
    if (mail->type == CTL_W_ACCEPT)
        begin(greeter, (const void *)mail->data);
    else if (mail->type == CTL_W_COUNTERS)
        ctl_counters_log("greeter", &greeter->counters);
    else
        greeter->stop = true;
}

static void *
run(void *arg)
{
    struct ctl_greeter *greeter = arg;
    struct epoll_event events[EVENTS_MAX];
    struct ctl_mail *mail, *next;

    bool told = true;

    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread alone, in Linux */
    while (!greeter->stop) {
        int n =
            epoll_wait(greeter->epoll, events, EVENTS_MAX, greeter->n > 0 || !told ? TICK_MS : -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.ptr != NULL)
                step(greeter, events[i].data.ptr);
        for (mail = ctl_mailbox_take(&greeter->mailbox); mail != NULL; mail = next) {
            next = mail->next;
            take_mail(greeter, mail);
            free(mail);
        }
        expire(greeter);
        told = ctl_counters_tell(greeter->app, "greeter", &greeter->counters, &greeter->counted,
                                 sb_mono());
    }
    for (unsigned i = 0; i < SOURCES; i++)
        while (greeter->sources[i].oldest != NULL)
            end_greeting(greeter, greeter->sources[i].oldest);
    ctl_counters_log("greeter", &greeter->counters);
    return NULL;
}

struct ctl_greeter *
ctl_greeter_start(struct ctl_app *app)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    struct ctl_greeter *greeter = calloc(1, sizeof(*greeter));

    if (greeter == NULL)
        return NULL;
    greeter->app = app;
    greeter->mailbox.fd = -1;
    greeter->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (greeter->epoll < 0 || ctl_mailbox_init(&greeter->mailbox) != 0 ||
        epoll_ctl(greeter->epoll, EPOLL_CTL_ADD, greeter->mailbox.fd, &event) < 0)
        goto fail;
    errno = pthread_create(&greeter->thread, NULL, run, greeter);
    if (errno == 0)
        return greeter;
fail:
    ctl_mailbox_fini(&greeter->mailbox);
    if (greeter->epoll >= 0)
        close(greeter->epoll);
    free(greeter);
    return NULL;
}

struct ctl_mailbox *
ctl_greeter_mailbox(struct ctl_greeter *greeter)
{
    return &greeter->mailbox;
}

void
ctl_greeter_join(struct ctl_greeter **greeter)
{
    if (*greeter == NULL)
        return;
    ctl_post(&(*greeter)->mailbox, ctl_mail_new(CTL_W_STOP, 0, 0));
    pthread_join((*greeter)->thread, NULL);
    ctl_mailbox_fini(&(*greeter)->mailbox); /* accepts none after the main loop has ended */
    close((*greeter)->epoll);
    free(*greeter);
    *greeter = NULL;
}
