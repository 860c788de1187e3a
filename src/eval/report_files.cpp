#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/report.h"
#include "formats/output_file.h"

namespace r1::eval {

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

void create_report_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw_error(ErrorKind::io, "{}: cannot create: {}", folder.string(), failed.message());
}

void write_report(const std::filesystem::path& folder, std::span<const Evaluation> evaluations) {
  create_report_folder(folder);
  using Json = nlohmann::ordered_json;
  write_text_file(folder / "report.json",
                  report_json(evaluations).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  write_text_file(folder / "report.md", report_markdown(evaluations));
  write_text_file(folder / "report.html", report_page(evaluations));
}

}  // namespace r1::eval
