# Compiles src/server/content/prompts/*.txt in, byte for byte: writes official_prompts.cpp in the build folder.
set(PROMPTS_FOLDER ${CMAKE_SOURCE_DIR}/src/server/content/prompts)
set(OFFICIAL_PROMPTS ${CMAKE_BINARY_DIR}/official_prompts.cpp)
set(PROMPTS_TEXT "// Written by cmake/official_prompts.cmake.\n#include \"server/content/prompts.h\"\n\nnamespace r1::site {\n")
foreach(prompt file_template search_answer_en_template search_answer_zh_template)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROMPTS_FOLDER}/${prompt}.txt)
  # As bytes: CMake's own strings would not keep every character.
  file(READ ${PROMPTS_FOLDER}/${prompt}.txt bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  string(APPEND PROMPTS_TEXT "const std::string_view ${prompt} = \"${bytes}\";\n")
endforeach()
string(APPEND PROMPTS_TEXT "}  // namespace r1::site\n")
file(CONFIGURE OUTPUT ${OFFICIAL_PROMPTS} CONTENT "${PROMPTS_TEXT}" @ONLY)
