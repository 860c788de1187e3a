#include "server/content/extraction.h"

#include <algorithm>
#include <csignal>

#include "server/content/site_error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

constexpr const char* kPdfToText = "/usr/bin/pdftotext";
constexpr int kHtmlSeconds = 3;
constexpr int kRefused = 3;  // exit status of our child: its message is for the user

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

/// The last component, without control characters.
std::string clean_name(const std::string& given) {
  const size_t slash = given.find_last_of("/\\");
  std::string name;
  for (const char c : repair_utf8(slash == std::string::npos ? given : given.substr(slash + 1))) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) name += c;
  }
  return name;
}

std::string extension_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : lower(name.substr(dot));
}

/// What the first bytes say, for files that have a form; empty: it may be text.
std::string_view form_of(std::string_view bytes) {
  if (bytes.substr(0, 1024).find("%PDF-") != std::string_view::npos) return "PDF";
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return "zip archive";
  if (bytes.starts_with("\xd0\xcf\x11\xe0")) return "old or encrypted Office document";
  if (bytes.starts_with("\x89PNG") || bytes.starts_with("\xff\xd8\xff") || bytes.starts_with("GIF8"))
    return "picture";
  if (bytes.starts_with("\x1f\x8b")) return "gzip archive";
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "program";
  return "";
}

std::string utf16_text(const std::string& name, std::string_view bytes, bool big_endian) {
  if (bytes.size() % 2 != 0)
    refuse(Code::extraction_failed, "{}: UTF-16 text with half a unit at its end", name);
  const auto unit = [&](size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]),
               second = static_cast<unsigned char>(bytes[at + 1]);
    return static_cast<uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 2) {
    uint32_t c = unit(at);
    if (c >= 0xd800 && c < 0xdc00 && at + 2 < bytes.size() && unit(at + 2) >= 0xdc00 &&
        unit(at + 2) < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (unit(at + 2) - 0xdc00);
      at += 2;
    } else if (c >= 0xd800 && c < 0xe000) {
      refuse(Code::extraction_failed, "{}: not valid UTF-16: a lone surrogate at byte {}", name, at + 2);
    }
    append_utf8(c, text);
  }
  return text;
}

std::string plain_text(const std::string& name, std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe")) return utf16_text(name, bytes.substr(2), false);
  if (bytes.starts_with("\xfe\xff")) return utf16_text(name, bytes.substr(2), true);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Prefix prefix = inspect_utf8(bytes.substr(at, 8));
    if (prefix.kind != Utf8Prefix::complete) {
      refuse(Code::extraction_failed, "{}: not valid UTF-8 text: byte 0x{:02x} at {}", name,
             static_cast<unsigned char>(bytes[at]), at);
    }
    if (bytes[at] == '\0') refuse(Code::unsupported_file, "{}: not a text: a zero byte at {}", name, at);
    at += prefix.length;
  }
  return std::string(bytes);
}

}  // namespace

const std::vector<std::string>& FileExtractor::extensions() {
  static const std::vector<std::string> all{
      ".txt",   ".md",   ".markdown", ".rst",  ".tex",  ".log",   ".csv",   ".tsv",  ".json", ".jsonl",
      ".yaml",  ".yml",  ".toml",     ".ini",  ".cfg",  ".conf",  ".xml",   ".svg",  ".css",  ".js",
      ".mjs",   ".jsx",  ".ts",       ".tsx",  ".vue",  ".py",    ".rb",    ".php",  ".pl",   ".lua",
      ".r",     ".jl",   ".m",        ".c",    ".h",    ".cc",    ".cpp",   ".cxx",  ".hpp",  ".hh",
      ".cu",    ".cuh",  ".cs",       ".java", ".kt",   ".scala", ".swift", ".go",   ".rs",   ".zig",
      ".hs",    ".ml",   ".ex",       ".erl",  ".clj",  ".lisp",  ".scm",   ".lean", ".v",    ".sv",
      ".vhd",   ".asm",  ".s",        ".sh",   ".bash", ".zsh",   ".ps1",   ".bat",  ".sql",  ".proto",
      ".cmake", ".diff", ".patch",    ".bib",  ".srt",  ".html",  ".htm",   ".pdf",  ".docx"};
  return all;
}

FileExtractor::FileExtractor(Sandbox sandbox, std::vector<std::string> child_command, ExtractionLimits limits)
    : sandbox_(std::move(sandbox)), child_command_(std::move(child_command)), limits_(std::move(limits)) {}

std::string FileExtractor::run_child(const std::string& name, const std::vector<std::string>& command,
                                     std::string_view bytes, int cpu_seconds) const {
  SandboxPolicy limits = limits_.sandbox;
  limits.cpu_seconds = cpu_seconds;
  const SandboxResult result = sandbox_.run(command, bytes, limits);
  using End = SandboxResult::End;
  if (result.end == End::out_of_time || (result.end == End::killed_by_signal && result.code == SIGXCPU)) {
    refuse(Code::extraction_failed, "{}: reading it took too long: more than {} s", name,
           std::min<int64_t>(cpu_seconds, limits_.sandbox.wall_time.count() / 1000));
  }
  if (result.end == End::too_much_output) {
    refuse(Code::extraction_failed, "{}: its text is longer than {} bytes", name,
           limits_.sandbox.output_bytes);
  }
  if (result.end == End::killed_by_signal) {
    refuse(Code::extraction_failed,
           "{}: its reader was stopped by signal {}: the file is damaged or made to harm", name, result.code);
  }
  if (result.code == 0) return result.output;
  if (command.front() != kPdfToText) {
    const std::string why = result.code == kRefused
                                ? repair_utf8(result.messages)
                                : fmt::format("its reader ended with status {}", result.code);
    refuse(Code::extraction_failed, "{}: {}", name, why.substr(0, why.find('\n')));
  }
  // pdftotext(1): 1: cannot open the file, 3: permissions. Its messages are not for users.
  if (result.messages.find("Incorrect password") != std::string::npos) {
    refuse(Code::extraction_failed, "{}: the PDF is encrypted: remove its password first", name);
  }
  if (result.code == 3) refuse(Code::extraction_failed, "{}: the PDF does not permit taking its text", name);
  refuse(Code::extraction_failed, "{}: the PDF is damaged: no text could be read", name);
}

std::string FileExtractor::html_text(const std::string& name, const std::string& charset,
                                     std::string_view bytes, std::string& title) const {
  std::vector<std::string> command = child_command_;
  command.insert(command.end(), {"html", charset});
  // A page of this size takes milliseconds, unless its nesting is made to harm: the parser's time is
  // quadratic in it.
  const std::string output =
      run_child(name, command, bytes, std::min(limits_.sandbox.cpu_seconds, kHtmlSeconds));
  const size_t line = output.find('\n');  // the child's first line is the title
  title = output.substr(0, line);
  return line == std::string::npos ? "" : output.substr(line + 1);
}

ExtractedText FileExtractor::finish(const std::string& name, std::string text) const {
  ExtractedText extracted;
  extracted.name = name;
  text = repair_utf8(text);
  extracted.text.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\r') {
      if (at + 1 == text.size() || text[at + 1] != '\n') extracted.text += '\n';
    } else if (text[at] != '\0') {
      extracted.text += text[at];
    }
  }
  for (const char c : extracted.text)
    extracted.characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  if (extracted.text.find_first_not_of(" \t\n\f\v") == std::string::npos) {
    refuse(Code::extraction_failed, "{}: there is no text in it", name);
  }
  if (static_cast<int64_t>(extracted.text.size()) > limits_.sandbox.output_bytes) {
    refuse(Code::too_large, "{}: its text is longer than {} bytes", name, limits_.sandbox.output_bytes);
  }
  return extracted;
}

ExtractedText FileExtractor::extract(const std::string& given, std::string_view bytes) const {
  const std::string name = clean_name(given), extension = extension_of(name);
  if (name.empty()) refuse(Code::invalid, "name: there is no file name in it");
  if (static_cast<int64_t>(bytes.size()) > limits_.file_bytes) {
    refuse(Code::too_large, "{}: {} bytes; at most {} are taken", name, bytes.size(), limits_.file_bytes);
  }
  const auto& known = extensions();
  if (std::find(known.begin(), known.end(), extension) == known.end()) {
    refuse(Code::unsupported_file, "{}: files of type '{}' are not read", name, extension);
  }
  const std::string_view form = form_of(bytes);
  const std::string_view wanted = extension == ".pdf" ? "PDF" : extension == ".docx" ? "zip archive" : "";
  if (extension == ".docx" && form == "old or encrypted Office document") {
    refuse(Code::extraction_failed, "{}: the document is encrypted, or of an older form than docx", name);
  }
  if (form != wanted) {
    refuse(Code::unsupported_file, "{}: its name says {}, its content is {}", name, extension,
           form.empty() ? "something else" : "a " + std::string(form));
  }
  if (extension == ".pdf") {
    return finish(name, run_child(name, {kPdfToText, "-enc", "UTF-8", "-nopgbrk", "-", "-"}, bytes,
                                  limits_.sandbox.cpu_seconds));
  }
  if (extension == ".docx") {
    std::vector<std::string> command = child_command_;
    command.emplace_back("docx");
    return finish(name, run_child(name, command, bytes, limits_.sandbox.cpu_seconds));
  }
  if (extension == ".html" || extension == ".htm") {
    std::string title;
    ExtractedText extracted = finish(name, html_text(name, "", bytes, title));
    extracted.title = title;
    return extracted;
  }
  return finish(name, plain_text(name, bytes));
}

ExtractedText FileExtractor::extract_page(const std::string& url, const std::string& content_type,
                                          std::string_view bytes) const {
  const std::string all = lower(content_type);
  std::string type = all.substr(0, all.find(';'));
  type = type.substr(0, type.find_last_not_of(" \t") + 1);
  std::string charset;
  if (const size_t at = all.find("charset="); at != std::string::npos) {
    charset = all.substr(at + 8, all.find(';', at) - at - 8);
    std::erase_if(charset, [](char c) { return c == '"' || c == '\'' || c == ' '; });
  }
  if (type == "text/html" || type == "application/xhtml+xml") {
    std::string title;
    ExtractedText extracted = finish(url, html_text(url, charset, bytes, title));
    extracted.title = title;
    return extracted;
  }
  if (type == "application/pdf")
    return finish(url, run_child(url, {kPdfToText, "-enc", "UTF-8", "-nopgbrk", "-", "-"}, bytes,
                                 limits_.sandbox.cpu_seconds));
  if (type.starts_with("text/") || type == "application/json")
    return finish(url, decode_charset(bytes, charset));
  refuse(Code::unsupported_file, "{}: pages of type '{}' are not read", url, type);
}

}  // namespace r1::site
