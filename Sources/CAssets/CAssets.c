// Written by scripts/list-assets.sh.
#include "CAssets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char asset_index_html[] = {
#embed "../../Assets/index.html"
};

static const struct cassets_content files[] = {
    {"index.html", asset_index_html, sizeof asset_index_html},
};

size_t cassets_count(void) { return sizeof files / sizeof *files; }

struct cassets_content cassets_file(size_t index) { return files[index]; }
