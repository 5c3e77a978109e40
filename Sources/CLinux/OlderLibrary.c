// Functions of the C library that got a new version in glibc 2.35, which Swift's static library would
// otherwise ask for: with these, the program also runs with glibc 2.34 (Enterprise Linux 9).
// scripts/check-release.sh looks for others.

#include <math.h>

__attribute__((visibility("hidden"))) float hypotf(float x, float y) {
    // As C's annex F says: an infinity wins even over what is not a number.
    if (isinf(x) || isinf(y)) return INFINITY;
    // The squares of two floats and their sum cannot overflow a double.
    return (float)__builtin_sqrt((double)x * x + (double)y * y);
}
