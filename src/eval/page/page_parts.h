// The parts of the evaluation page, compiled in from page.html, page.css and page.js (cmake/report_page.cmake).
#pragma once

#include <string_view>

namespace r1::eval {

extern const std::string_view page_html, page_css, page_js;

}  // namespace r1::eval
