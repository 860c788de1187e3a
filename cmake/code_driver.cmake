# Compiles the files src/eval/code/driver*.py in, byte for byte: writes code_driver.cpp in the build folder.
set(CODE_DRIVER ${CMAKE_BINARY_DIR}/code_driver.cpp)
foreach(part driver driver_asserts driver_project)
  set(script ${CMAKE_SOURCE_DIR}/src/eval/code/${part}.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
  file(READ ${script} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" ${part}_bytes "${bytes}")
endforeach()
file(CONFIGURE OUTPUT ${CODE_DRIVER} CONTENT "// Written by cmake/code_driver.cmake.
#include \"eval/code/code_runner.h\"

namespace r1::eval {
const std::string_view kDriverScript = \"${driver_bytes}\";
const std::string_view kDriverAsserts = \"${driver_asserts_bytes}\";
const std::string_view kDriverProject = \"${driver_project_bytes}\";
}  // namespace r1::eval
" @ONLY)
