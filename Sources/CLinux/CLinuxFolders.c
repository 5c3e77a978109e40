#define _GNU_SOURCE
#include "CLinuxFolders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

int clinux_open_beneath(int folder, const char *path, int flags) {
    // struct open_how: flags, mode, resolve. RESOLVE_NO_MAGICLINKS, _NO_SYMLINKS and _BENEATH.
    uint64_t how[3] = {(uint64_t)flags, 0, 0x02 | 0x04 | 0x08};
    int result;
    // EAGAIN: somebody renames at this very moment, and the kernel cannot tell.
    for (int attempt = 0; attempt < 100; attempt++) {
        result = (int)syscall(SYS_openat2, folder, path, how, sizeof how);
        if (result >= 0 || errno != EAGAIN) break;
    }
    // What a sandbox answers to calls that it does not know.
    if (result < 0 && errno == EPERM) errno = ENOSYS;
    return result;
}

int clinux_rename_exchange_at(int first_folder, const char *first, int second_folder,
                              const char *second) {
    return renameat2(first_folder, first, second_folder, second, RENAME_EXCHANGE);
}

ssize_t clinux_link_target(int descriptor, char *buffer, size_t size) {
    return readlinkat(descriptor, "", buffer, size);
}

ssize_t clinux_copy_bytes(int input, int output, size_t count) {
    return copy_file_range(input, NULL, output, NULL, count, 0);
}

ssize_t clinux_access_list(int descriptor, void *buffer, size_t size) {
    // By this name, as fgetxattr(2) does not take a descriptor that was opened with O_PATH.
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t count = getxattr(name, "system.posix_acl_access", buffer, size);
    if (count < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) return 0;
    return count;
}
