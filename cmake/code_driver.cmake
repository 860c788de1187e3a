# Compiles src/eval/code/driver.py in, byte for byte: writes code_driver.cpp in the build folder.
set(DRIVER_SCRIPT ${CMAKE_SOURCE_DIR}/src/eval/code/driver.py)
set(CODE_DRIVER ${CMAKE_BINARY_DIR}/code_driver.cpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${DRIVER_SCRIPT})
file(READ ${DRIVER_SCRIPT} DRIVER_BYTES HEX)
string(REGEX REPLACE "(..)" "\\\\x\\1" DRIVER_BYTES "${DRIVER_BYTES}")
file(CONFIGURE OUTPUT ${CODE_DRIVER} CONTENT "// Written by cmake/code_driver.cmake.
#include \"eval/code/code_runner.h\"

namespace r1::eval {
const std::string_view kDriverScript = \"${DRIVER_BYTES}\";
}  // namespace r1::eval
" @ONLY)
