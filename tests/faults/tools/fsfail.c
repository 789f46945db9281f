/* Loaded before libc: a disk that fails or lies, for the files whose path contains $FSFAIL_PATH.
 *
 * The file $FSFAIL_CONTROL says what is wrong, and is read at each call: "sync lies", "sync fails",
 * "write fails", "read fails"; empty or absent: nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_harmed(int fd) {
    const char *part = getenv("FSFAIL_PATH");
    char link[64], path[4096];
    if (!part) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static int says(const char *fault, int fd) {
    const char *control = getenv("FSFAIL_CONTROL");
    char text[64] = {0};
    if (!control) return 0;
    int file = open(control, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = NEXT(read)(file, text, sizeof text - 1);
    close(file);
    return length > 0 && strncmp(text, fault, strlen(fault)) == 0 && is_harmed(fd);
}

static int fails(void) {
    errno = EIO;
    return -1;
}

int fsync(int fd) {
    if (says("sync lies", fd)) return 0;
    return says("sync fails", fd) ? fails() : NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    if (says("sync lies", fd)) return 0;
    return says("sync fails", fd) ? fails() : NEXT(fdatasync)(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return says("write fails", fd) ? fails() : NEXT(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return says("write fails", fd) ? fails() : NEXT(pwrite)(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return says("write fails", fd) ? fails() : NEXT(pwrite64)(fd, bytes, count, at);
}

ssize_t read(int fd, void *bytes, size_t count) {
    return says("read fails", fd) ? fails() : NEXT(read)(fd, bytes, count);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) {
    return says("read fails", fd) ? fails() : NEXT(pread)(fd, bytes, count, at);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    return says("read fails", fd) ? fails() : NEXT(pread64)(fd, bytes, count, at);
}
