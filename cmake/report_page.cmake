# Compiles the parts of the evaluation page (src/eval/page/page.html, .css, .js) in, byte for byte: writes page_parts.cpp in the
# build folder.
set(PAGE_FOLDER ${CMAKE_SOURCE_DIR}/src/eval/page)
set(PAGE_PARTS ${CMAKE_BINARY_DIR}/page_parts.cpp)
set(PAGE_TEXT "// Written by cmake/report_page.cmake.\n#include \"eval/page/page_parts.h\"\n\nnamespace r1::eval {\n")
foreach(part html css js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PAGE_FOLDER}/page.${part})
  # As bytes: CMake's own strings would not keep every character.
  file(READ ${PAGE_FOLDER}/page.${part} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  string(APPEND PAGE_TEXT "const std::string_view page_${part} = \"${bytes}\";\n")
endforeach()
string(APPEND PAGE_TEXT "}  // namespace r1::eval\n")
file(CONFIGURE OUTPUT ${PAGE_PARTS} CONTENT "${PAGE_TEXT}" @ONLY)
