/* Preloaded into a process, it records in RECORD_JOURNAL all that the process does to the files in RECORD_FOLDER:
 * names, writes, truncations and syncs, in their order. The records are read by power_loss.py:
 *   W inode offset size data | T inode size | F inode | N inode path | R path path | U path | S size text (program.py)
 * Numbers are little-endian, 8 bytes for inodes and offsets, 4 for sizes of what follows. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char folder[PATH_MAX];
static int journal = -1;
static uint64_t inodes[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("RECORD_JOURNAL"), *what = getenv("RECORD_FOLDER");
    if (!where || !what || strlen(what) >= sizeof folder) return;
    strcpy(folder, what);
    journal = REAL(open)(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int is_ours(const char *path) {
    size_t length = strlen(folder);
    return journal >= 0 && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static uint64_t inode_of(int fd) { return fd >= 0 && fd < FILES ? inodes[fd] : 0; }

static void put(char kind, const void *head, size_t head_size, const void *data, uint32_t size) {
    struct iovec parts[] = {{&kind, 1}, {(void *)head, head_size}, {&size, 4}, {(void *)data, size}};
    pthread_mutex_lock(&lock);
    if (writev(journal, parts, data ? 4 : 2) < 0) abort();
    pthread_mutex_unlock(&lock);
}

static int opened(int fd, const char *path, int flags, int was_there) {
    struct stat status;
    if (fd < 0 || fd >= FILES || !is_ours(path) || fstat(fd, &status)) return fd;
    inodes[fd] = status.st_ino;
    if ((flags & O_CREAT) && !was_there) put('N', &inodes[fd], 8, path, strlen(path));
    if ((flags & O_TRUNC) && was_there) put('T', (uint64_t[]){inodes[fd], 0}, 16, NULL, 0);
    return fd;
}

#define OPEN(name, real_name, before, ...)                        \
    int name(before const char *path, int flags, ...) {           \
        va_list more;                                             \
        va_start(more, flags);                                    \
        mode_t mode = va_arg(more, mode_t);                       \
        va_end(more);                                             \
        int was_there = !access(path, F_OK);                      \
        return opened(REAL(real_name)(__VA_ARGS__, flags, mode), path, flags, was_there); \
    }
#define AT int at,
OPEN(open, open, , path)
OPEN(open64, open64, , path)
OPEN(openat, openat, AT, at, path)
OPEN(openat64, openat64, AT, at, path)

int close(int fd) {
    if (fd >= 0 && fd < FILES) inodes[fd] = 0;
    return REAL(close)(fd);
}

static void wrote(int fd, ssize_t size, const void *data, int64_t offset) {
    if (size > 0 && inode_of(fd)) put('W', (uint64_t[]){inodes[fd], (uint64_t)offset}, 16, data, (uint32_t)size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    ssize_t done = REAL(pwrite)(fd, data, size, offset);
    wrote(fd, done, data, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    ssize_t done = REAL(pwrite64)(fd, data, size, offset);
    wrote(fd, done, data, offset);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    int64_t offset = inode_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = REAL(write)(fd, data, size);
    wrote(fd, done, data, offset);
    return done;
}

#define TRUNCATE(name, type)                                                              \
    int name(int fd, type size) {                                                         \
        int done = REAL(name)(fd, size);                                                  \
        if (!done && inode_of(fd)) put('T', (uint64_t[]){inodes[fd], (uint64_t)size}, 16, NULL, 0); \
        return done;                                                                      \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                 \
    int name(int fd) {                                             \
        int done = REAL(name)(fd);                                 \
        if (!done && inode_of(fd)) put('F', &inodes[fd], 8, NULL, 0); \
        return done;                                               \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    int done = REAL(rename)(from, to);
    if (!done && is_ours(to)) {
        char both[2 * PATH_MAX + 2];
        int size = snprintf(both, sizeof both, "%s\n%s", from, to);
        put('R', "", 0, both, (uint32_t)size);
    }
    return done;
}

int unlink(const char *path) {
    int done = REAL(unlink)(path);
    if (!done && is_ours(path)) put('U', "", 0, path, (uint32_t)strlen(path));
    return done;
}
