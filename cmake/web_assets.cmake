# The chat site in web/, built with npm and turned into r1_site_assets: a library that holds every file of the
# built site, gzipped (src/server/site/site_assets.h). R1_WEB=OFF, or a machine without node and npm, gives the same
# library with an empty table and the reason in it.
#
#   npm ci      when web/package-lock.json changed       -> web/node_modules
#   npm run build (vite)  when a source changed          -> <build>/site/
#   web/tools/embed_assets.mjs                           -> <build>/site_assets.cpp

find_program(R1_NODE node)
find_program(R1_NPM npm)
if(R1_NODE)
  execute_process(COMMAND ${R1_NODE} --version OUTPUT_VARIABLE R1_NODE_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX REPLACE "^v" "" R1_NODE_VERSION "${R1_NODE_VERSION}")
endif()

option(R1_WEB "build the chat site (needs node 18 or newer and npm)" ON)
set(R1_WEB_ABSENT "")
if(NOT R1_WEB)
  set(R1_WEB_ABSENT "this program was built with R1_WEB=OFF")
elseif(NOT R1_NODE OR NOT R1_NPM)
  set(R1_WEB_ABSENT "node and npm were not there when this program was built")
elseif(R1_NODE_VERSION VERSION_LESS 18)
  set(R1_WEB_ABSENT "node ${R1_NODE_VERSION} was there when this program was built, 18 or newer is needed")
endif()

set(R1_WEB_CPP ${CMAKE_BINARY_DIR}/site_assets.cpp)
if(R1_WEB_ABSENT)
  message(STATUS "chat site: off (${R1_WEB_ABSENT})")
  configure_file(${CMAKE_SOURCE_DIR}/cmake/site_assets_absent.cpp.in ${R1_WEB_CPP} @ONLY)
else()
  message(STATUS "chat site: on (node ${R1_NODE_VERSION})")
  set(WEB ${CMAKE_SOURCE_DIR}/web)
  set(R1_WEB_MODULES ${WEB}/node_modules/.package-lock.json) # written by npm ci when it is through
  add_custom_command(
    OUTPUT ${R1_WEB_MODULES}
    COMMAND ${R1_NPM} ci --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${R1_WEB_MODULES}
    DEPENDS ${WEB}/package-lock.json ${WEB}/.npmrc
    WORKING_DIRECTORY ${WEB}
    COMMENT "Chat site: npm ci")
  file(GLOB_RECURSE R1_WEB_SOURCES CONFIGURE_DEPENDS ${WEB}/src/* ${WEB}/public/*)
  add_custom_command(
    OUTPUT ${R1_WEB_CPP}
    COMMAND ${R1_NPM} run --silent build -- --outDir ${CMAKE_BINARY_DIR}/site --emptyOutDir --logLevel warn
    COMMAND ${R1_NODE} ${WEB}/tools/embed_assets.mjs ${CMAKE_BINARY_DIR}/site ${R1_WEB_CPP}
    DEPENDS ${R1_WEB_MODULES} ${R1_WEB_SOURCES} ${WEB}/index.html ${WEB}/training.html ${WEB}/evaluation.html ${WEB}/vite.config.ts ${WEB}/tsconfig.json
            ${WEB}/package.json ${WEB}/tools/embed_assets.mjs
    WORKING_DIRECTORY ${WEB}
    COMMENT "Chat site: building and embedding")
endif()

# Not part of `all`: the program that links it builds it.
add_library(r1_site_assets STATIC EXCLUDE_FROM_ALL ${R1_WEB_CPP})
target_include_directories(r1_site_assets PUBLIC ${CMAKE_SOURCE_DIR}/src)
