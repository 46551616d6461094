/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_fixture.c - see statebus_fixture.h. The instance's name and the runtime directory are in
 * the environment, so that child roles started by exec share them.
 */
#include "statebus_fixture.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *
fixture_instance(void)
{
    return getenv("SB_TEST_INSTANCE");
}

int
fixture_setup(void **state)
{
    char name[32], dir[] = "/tmp/sb-test-XXXXXX";

    (void)state;
    snprintf(name, sizeof name, "t%ld", (long)getpid());
    if (!mkdtemp(dir))
        return -1;
    setenv("SB_TEST_INSTANCE", name, 1);
    setenv("TRIVET_RUNTIME_DIR", dir, 1);
    return 0;
}

static void
remove_all(const char *dir_name, const char *prefix)
{
    struct dirent *entry;
    DIR *dir = opendir(dir_name);

    while (dir && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

int
fixture_teardown(void **state)
{
    char prefix[64];

    (void)state;
    snprintf(prefix, sizeof prefix, "trivet.%s.", fixture_instance());
    remove_all("/dev/shm", prefix);
    remove_all(getenv("TRIVET_RUNTIME_DIR"), "");
    rmdir(getenv("TRIVET_RUNTIME_DIR"));
    return 0;
}

struct sb_owner *
fixture_open(const char *owner, enum sb_table_id id, uint32_t capacity, uint16_t shards,
             bool publish)
{
    struct sb_owner_table table = {id, capacity, shards};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = owner,
        .tables = &table,
        .n_tables = 1,
        .no_publish = !publish,
    };
    char message[SB_MESSAGE_MAX];
    struct sb_owner *ret = NULL;

    if (sb_owner_open(&ret, &config, message) < 0)
        fail_msg("%s", message);
    return ret;
}

struct sb_reader *
fixture_reader(const char *owner)
{
    char message[SB_MESSAGE_MAX];
    struct sb_reader *ret = NULL;

    if (sb_reader_open(&ret, fixture_instance(), owner, message) < 0)
        fail_msg("%s", message);
    return ret;
}

uint64_t
fixture_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
