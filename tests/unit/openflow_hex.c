/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_hex.c - a program for the system test: without arguments, one of every message, a line
 * each: name, whether Open vSwitch knows what is in it (ovs or -), hex, and the line of of_print(),
 * with tabs between. With an argument, prints each line of hex that it reads.
 */
#include <stdio.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_every.h"

static void
show(void *user, const struct every_message *message)
{
    char line[16384];

    (void)user;
    of_print(message->bytes, message->size, line, sizeof(line));
    printf("%s\t%s\t", message->name, message->not_in_ovs ? "-" : "ovs");
    for (size_t i = 0; i < message->size; i++)
        printf("%02x", message->bytes[i]);
    printf("\t%s\n", line);
}

static int
print_lines(void)
{
    static char hex[2 * OF_MESSAGE_MAX + 2];
    static uint8_t bytes[OF_MESSAGE_MAX];
    int status = 0;

    while (fgets(hex, sizeof(hex), stdin)) {
        static char line[1 << 20]; /* of the features of many tables */
        size_t size = strcspn(hex, "\n") / 2;
        unsigned byte;

        for (size_t i = 0; i < size && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
            bytes[i] = (uint8_t)byte;
        if (of_print(bytes, size, line, sizeof(line)) < 0)
            status = 1;
        puts(line);
    }
    return status;
}

int
main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return print_lines();
    openflow_every(show, NULL);
    return 0;
}
