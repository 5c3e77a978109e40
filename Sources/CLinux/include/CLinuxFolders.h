// Calls relative to opened folders, with all their arguments.
#ifndef CLINUX_FOLDERS_H
#define CLINUX_FOLDERS_H

#include <stddef.h>
#include <sys/types.h>

/// O_PATH, which the C library only has for GNU sources. Source: open(2), asm-generic/fcntl.h.
static const int clinux_o_path = 010000000;

/// Opens `path` relative to `folder`, never above it and through no link, not even at its end.
/// Returns -1 with errno set, ENOSYS where the kernel has no such call (before Linux 5.6), or where
/// a sandbox does not let it through. Source: openat2(2).
int clinux_open_beneath(int folder, const char *path, int flags);

/// Exchanges two names in one step. Source: renameat2(2) with RENAME_EXCHANGE.
int clinux_rename_exchange_at(int first_folder, const char *first, int second_folder,
                              const char *second);

/// The target of the link that `descriptor`, opened with O_PATH and O_NOFOLLOW, stands for, without
/// a final zero. Returns its length, or -1 with errno set. Source: readlinkat(2).
ssize_t clinux_link_target(int descriptor, char *buffer, size_t size);

/// Copies up to `count` bytes from where `input` is read to where `output` is written, within the
/// kernel; file systems that can let both share the blocks. Returns how many, 0 at the end, or -1
/// with errno set. Source: copy_file_range(2).
ssize_t clinux_copy_bytes(int input, int output, size_t count);

/// The access control list of what `descriptor`, opened in any way, stands for, as the kernel keeps
/// it. Returns its length, 0 when the mode bits are all there is, or -1 with errno set.
/// Source: getxattr(2), acl(5).
ssize_t clinux_access_list(int descriptor, void *buffer, size_t size);

#endif
