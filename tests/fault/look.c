/* What looks at files and directories, or changes what is said of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fault.h"

#define STAT(name, about) \
    SIMPLE(int, name, stat, -1, (const char *restrict path, struct about *restrict ret), (path, ret), const char *, struct about *)

STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
STAT(statvfs, statvfs)
STAT(statvfs64, statvfs64)
SIMPLE(int, fstat, stat, -1, (int file, struct stat *ret), (file, ret), int, struct stat *)
SIMPLE(int, fstat64, stat, -1, (int file, struct stat64 *ret), (file, ret), int, struct stat64 *)
SIMPLE(int, fstatat, stat, -1, (int directory, const char *restrict path, struct stat *restrict ret, int flags),
       (directory, path, ret, flags), int, const char *, struct stat *, int)
SIMPLE(int, fstatat64, stat, -1, (int directory, const char *restrict path, struct stat64 *restrict ret, int flags),
       (directory, path, ret, flags), int, const char *, struct stat64 *, int)
SIMPLE(int, access, stat, -1, (const char *path, int mode), (path, mode), const char *, int)
SIMPLE(int, faccessat, stat, -1, (int directory, const char *path, int mode, int flags), (directory, path, mode, flags), int,
       const char *, int, int)
SIMPLE(ssize_t, readlink, stat, -1, (const char *restrict path, char *restrict ret, size_t size), (path, ret, size),
       const char *, char *, size_t)

SIMPLE(struct dirent *, readdir, readdir, NULL, (DIR *directory), (directory), DIR *)
SIMPLE(struct dirent64 *, readdir64, readdir, NULL, (DIR *directory), (directory), DIR *)

SIMPLE(int, chmod, chmod, -1, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
SIMPLE(int, fchmod, chmod, -1, (int file, mode_t mode), (file, mode), int, mode_t)
SIMPLE(int, fchmodat, chmod, -1, (int directory, const char *path, mode_t mode, int flags), (directory, path, mode, flags), int,
       const char *, mode_t, int)
SIMPLE(int, futimens, chmod, -1, (int file, const struct timespec times[2]), (file, times), int, const struct timespec[2])
