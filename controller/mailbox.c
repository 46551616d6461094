/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox.c - a stack that senders push with one compare-and-swap and the receiver takes whole and
 * turns round. The eventfd is written only by the sender that finds the box empty.
 */
#include "mailbox.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
ctl_mailbox_init(struct ctl_mailbox *box)
{
    atomic_init(&box->head, NULL);
    atomic_init(&box->waiting, 0);
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return box->fd < 0 ? -1 : 0;
}

void
ctl_mailbox_fini(struct ctl_mailbox *box)
{
    struct ctl_mail *mail = atomic_exchange(&box->head, NULL);

    while (mail != NULL) {
        struct ctl_mail *next = mail->next;

        free(mail);
        mail = next;
    }
    if (box->fd >= 0)
        close(box->fd);
    box->fd = -1;
}

struct ctl_mail *
ctl_mail_new(enum ctl_mail_type type, uint64_t dpid, size_t size)
{
    struct ctl_mail *mail = calloc(1, sizeof(*mail) + size);

    if (mail == NULL)
        abort();
    mail->type = type;
    mail->dpid = dpid;
    mail->size = size;
    return mail;
}

void
ctl_post(struct ctl_mailbox *box, struct ctl_mail *mail)
{
    struct ctl_mail *head = atomic_load_explicit(&box->head, memory_order_relaxed);
    uint64_t one = 1;

    atomic_fetch_add_explicit(&box->waiting, 1, memory_order_relaxed);
    do
        mail->next = head;
    while (!atomic_compare_exchange_weak_explicit(&box->head, &head, mail, memory_order_release,
                                                  memory_order_relaxed));
    /* head is what was there before: only the first mail of a batch wakes the receiver */
    if (head == NULL && write(box->fd, &one, sizeof(one)) < 0)
        return; /* the counter is full, so the receiver is awake */
}

bool
ctl_post_or_drop(struct ctl_mailbox *box, struct ctl_mail *mail)
{
    if (atomic_load_explicit(&box->waiting, memory_order_relaxed) >= CTL_MAIL_MAX) {
        free(mail);
        return false;
    }
    ctl_post(box, mail);
    return true;
}

bool
ctl_mailbox_busy(const struct ctl_mailbox *box)
{
    return atomic_load_explicit(&box->waiting, memory_order_relaxed) >= CTL_MAIL_BUSY;
}

struct ctl_mail *
ctl_mailbox_take(struct ctl_mailbox *box)
{
    struct ctl_mail *mail, *oldest = NULL;
    unsigned n = 0;
    uint64_t count;

    /* Clear the eventfd before taking: a mail posted in between wakes us once more. */
    if (read(box->fd, &count, sizeof(count)) < 0)
        count = 0;
    mail = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
    while (mail != NULL) {
        struct ctl_mail *next = mail->next;

        mail->next = oldest;
        oldest = mail;
        mail = next;
        n++;
    }
    atomic_fetch_sub_explicit(&box->waiting, n, memory_order_relaxed);
    return oldest;
}
