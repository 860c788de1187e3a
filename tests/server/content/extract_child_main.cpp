// What `r1 extract-child` is, for the tests: r1 itself takes long to build.
#include <unistd.h>

#include "server/content/extraction.h"

// Ends by _exit(), as `r1 extract-child` does: a sanitizer's search for leaks at the end needs what the
// sandbox refuses, and would make every reader fail.
int main(int argc, char** argv) {
  _exit(r1::site::run_extract_child({argv + 1, argv + argc}));
}
