// The text inside a file that somebody uploads: plain text, code, csv, HTML, PDF (Poppler's pdftotext) and
// Word's docx. Everything but plain text is read in a child process inside a sandbox.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/sandbox.h"

namespace r1::site {

struct ExtractionLimits {
  int64_t file_bytes = int64_t{32} << 20;
  SandboxPolicy sandbox;  // sandbox.output_bytes: of the text
};

struct ExtractedText {
  std::string name;   // the last component of the path that was given, without control characters
  std::string title;  // of an HTML page, may be empty
  std::string text;   // valid UTF-8, line ends "\n", no byte order mark, no NUL
  int64_t characters = 0;
};

/// Const and safe from several threads.
class FileExtractor {
 public:
  /// `child_command`: how to start this program as a child, to which the format is added: {"/…/r1",
  /// "extract-child"}.
  FileExtractor(Sandbox sandbox, std::vector<std::string> child_command, ExtractionLimits limits = {});

  /// By the extension of the name, which must fit the content. Throws SiteError: too_large, unsupported_file
  /// (unknown or wrong extension, no text), extraction_failed (damaged, encrypted, a bomb, over a limit).
  ExtractedText extract(const std::string& name, std::string_view bytes) const;

  /// A page that was fetched: `content_type` as the server sent it.
  ExtractedText extract_page(const std::string& url, const std::string& content_type,
                             std::string_view bytes) const;

  /// ".txt", …: what extract() takes.
  static const std::vector<std::string>& extensions();
  const ExtractionLimits& limits() const { return limits_; }
  const Sandbox& sandbox() const { return sandbox_; }

 private:
  std::string run_child(const std::string& name, const std::vector<std::string>& command,
                        std::string_view bytes, int cpu_seconds) const;
  std::string html_text(const std::string& name, const std::string& charset, std::string_view bytes,
                        std::string& title) const;
  ExtractedText finish(const std::string& name, std::string text) const;

  Sandbox sandbox_;
  std::vector<std::string> child_command_;
  ExtractionLimits limits_;
};

/// What the child does: reads the file from standard input, writes its text to standard output. `arguments`:
/// the format ("docx"; or "html" and a charset, "" when unknown). Returns the exit status: 0, or 3 after one
/// line for the user on standard error. Meant for a process of its own: installs a system call filter.
int run_extract_child(const std::vector<std::string>& arguments);

// The readers that the child calls; they throw SiteError(extraction_failed).
std::string read_docx(std::string_view bytes);
struct HtmlPage {
  std::string title, text;
};
HtmlPage read_html(std::string_view utf8);
/// Bytes in a charset by its name, as UTF-8; what is invalid becomes U+FFFD. "": the byte order mark's, a
/// <meta> tag's, or UTF-8.
std::string decode_charset(std::string_view bytes, const std::string& charset);

}  // namespace r1::site
