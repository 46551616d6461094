/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_fixture.c - see statebus_fixture.h. The instance's name and the runtime directory are in
 * the environment, so that child roles started by exec share them.
 */
#include "statebus_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

struct sb_mac
fixture_mac(uint64_t n, uint64_t version)
{
    struct sb_mac row = {.dpid = n % 7, .vlan = (uint16_t)(n % 3)};

    memcpy(row.mac, &n, sizeof row.mac);
    row.first_ns = n * 1000003 + version;
    row.last_ns = version;
    row.port = (uint32_t)(n ^ version);
    row.moves = (uint32_t)(n * 31 + version * 17);
    return row;
}

void
fixture_assert_mac(const struct sb_mac *row)
{
    uint64_t n = 0;
    struct sb_mac expected;

    memcpy(&n, row->mac, sizeof row->mac);
    expected = fixture_mac(n, row->last_ns);
    assert_memory_equal(row, &expected, sizeof expected);
}

void *
fixture_map(const char *owner, size_t *ret_size)
{
    char path[256];
    struct stat st;
    void *base;
    int fd;

    fixture_path(owner, "", path, sizeof path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(base != MAP_FAILED);
    close(fd);
    *ret_size = (size_t)st.st_size;
    return base;
}

void
fixture_path(const char *owner, const char *suffix, char *ret, size_t size)
{
    snprintf(ret, size, "/dev/shm/trivet.%s.%s%s", fixture_instance(), owner, suffix);
}
