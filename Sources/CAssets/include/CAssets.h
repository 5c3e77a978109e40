// The files that the dashboard serves to browsers, as they are in Assets/.
#ifndef CASSETS_H
#define CASSETS_H

#include <stddef.h>

struct cassets_content {
    /// Relative to Assets/, such as "script/main.js".
    const char *path;
    const unsigned char *bytes;
    size_t count;
};

size_t cassets_count(void);

/// The file of that index, which is less than the count.
struct cassets_content cassets_file(size_t index);

#endif
