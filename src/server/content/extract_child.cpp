// What runs inside the sandbox: docx and HTML readers.
#include <archive.h>
#include <archive_entry.h>
#include <gumbo.h>
#include <iconv.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <pugixml.hpp>

#include "sandbox/system_call_filter.h"
#include "server/content/extraction.h"
#include "server/content/site_error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

// A document of a thousand pages stays far below all of these.
constexpr int kMaxEntries = 4096;
constexpr int64_t kMaxUnpackedBytes = int64_t{128} << 20;
constexpr int64_t kMaxRatio = 200;  // unpacked to packed, over the whole archive
constexpr int64_t kRatioMatters = int64_t{8} << 20;

bool leads_out(std::string_view name) {
  if (name.starts_with('/') || name.find('\\') != std::string_view::npos) return true;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

/// Reads the parts with text out of the archive. Archives inside it are never opened.
class DocxArchive {
 public:
  explicit DocxArchive(std::string_view bytes) : packed_(static_cast<int64_t>(bytes.size())) {
    archive_read_support_format_zip_seekable(archive_.get());
    if (archive_read_open_memory(archive_.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) damaged();
    archive_entry* entry = nullptr;
    int code = 0, entries = 0;
    while ((code = archive_read_next_header(archive_.get(), &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
      if (++entries > kMaxEntries) {
        refuse(Code::extraction_failed, "the archive has more than {} entries", kMaxEntries);
      }
      read_entry(entry);
    }
    if (code != ARCHIVE_EOF) damaged();
  }

  std::string document, footnotes, endnotes;
  bool has_document = false;

 private:
  [[noreturn]] void damaged() { refuse(Code::extraction_failed, "the archive is damaged"); }

  void read_entry(archive_entry* entry) {
    const char* path = archive_entry_pathname(entry);
    const std::string name = path == nullptr ? "" : path;
    if (leads_out(name)) {
      refuse(Code::extraction_failed, "the archive has an entry that leads out of it: '{}'",
             name.substr(0, 80));
    }
    if (archive_entry_is_encrypted(entry) != 0) refuse(Code::extraction_failed, "the document is encrypted");
    std::string* part = name == "word/document.xml"    ? &document
                        : name == "word/footnotes.xml" ? &footnotes
                        : name == "word/endnotes.xml"  ? &endnotes
                                                       : nullptr;
    has_document |= part == &document;
    if (part == nullptr) return;
    std::array<char, 65536> buffer;
    while (true) {
      const la_ssize_t got = archive_read_data(archive_.get(), buffer.data(), buffer.size());
      if (got < 0) damaged();
      if (got == 0) return;
      unpacked_ += got;
      if (unpacked_ > kMaxUnpackedBytes || (unpacked_ > kRatioMatters && unpacked_ / packed_ > kMaxRatio)) {
        refuse(Code::extraction_failed, "the archive unpacks to far more than a document would (a zip bomb)");
      }
      part->append(buffer.data(), static_cast<size_t>(got));
    }
  }

  std::unique_ptr<archive, decltype(&archive_read_free)> archive_{archive_read_new(), archive_read_free};
  const int64_t packed_;
  int64_t unpacked_ = 0;
};

/// Text of WordprocessingML (ECMA-376 part 1, 17): w:t is text, w:p a paragraph, w:tc a table's cell. Walks
/// without recursion: the nesting is the file's.
std::string text_of_xml(const std::string& xml) {
  pugi::xml_document document;
  // Without pugi's parse_doctype: declarations are passed over, entities of their own are never expanded.
  const auto result = document.load_buffer(xml.data(), xml.size(),
                                           pugi::parse_default | pugi::parse_ws_pcdata, pugi::encoding_auto);
  if (!result) refuse(Code::extraction_failed, "word/document.xml is not XML: byte {}", result.offset);
  std::string text;
  for (pugi::xml_node node = document.first_child(); node;) {
    const std::string_view name = node.name();
    if (name == "w:t") text += node.text().get();
    if (name == "w:tab") text += '\t';
    if (name == "w:br" || name == "w:cr") text += '\n';
    // mc:Fallback repeats what stands in mc:Choice.
    const bool descend = node.first_child() && name != "w:t" && name != "mc:Fallback";
    if (descend) {
      node = node.first_child();
      continue;
    }
    while (node) {
      const std::string_view ended = node.name();
      if (ended == "w:p") text += '\n';
      if (ended == "w:tc" && !text.empty() && text.back() == '\n') text.back() = '\t';
      if (ended == "w:tr" && !text.empty() && text.back() == '\t') text.back() = '\n';
      if (node.next_sibling()) {
        node = node.next_sibling();
        break;
      }
      node = node.parent();
    }
  }
  return text;
}

bool is_hidden(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_TEXTAREA:
      return true;
    default:
      return false;
  }
}

bool is_inline(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_A:
    case GUMBO_TAG_ABBR:
    case GUMBO_TAG_B:
    case GUMBO_TAG_BIG:
    case GUMBO_TAG_CITE:
    case GUMBO_TAG_CODE:
    case GUMBO_TAG_EM:
    case GUMBO_TAG_FONT:
    case GUMBO_TAG_I:
    case GUMBO_TAG_IMG:
    case GUMBO_TAG_KBD:
    case GUMBO_TAG_MARK:
    case GUMBO_TAG_Q:
    case GUMBO_TAG_S:
    case GUMBO_TAG_SAMP:
    case GUMBO_TAG_SMALL:
    case GUMBO_TAG_SPAN:
    case GUMBO_TAG_STRONG:
    case GUMBO_TAG_SUB:
    case GUMBO_TAG_SUP:
    case GUMBO_TAG_TIME:
    case GUMBO_TAG_U:
    case GUMBO_TAG_VAR:
    case GUMBO_TAG_WBR:
      return true;
    default:
      return false;
  }
}

/// Text with white space as a browser shows it: runs are one space, blocks stand on lines of their own.
class HtmlText {
 public:
  std::string title;
  std::string text;

  void read(const GumboNode* root) {
    // By hand instead of by recursion: the nesting is the page's.
    const GumboNode* node = root;
    while (node != nullptr) {
      if (enter(node)) {
        node = static_cast<const GumboNode*>(children(node)->data[0]);
        continue;
      }
      while (node != nullptr && node != root) {
        leave(node);
        const GumboVector* siblings = children(node->parent);
        if (node->index_within_parent + 1 < siblings->length) {
          node = static_cast<const GumboNode*>(siblings->data[node->index_within_parent + 1]);
          break;
        }
        node = node->parent;
      }
      if (node == root) break;
    }
  }

 private:
  static const GumboVector* children(const GumboNode* node) {
    return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : &node->v.element.children;
  }
  static bool is_element(const GumboNode* node) {
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
  }
  /// True: its children come next.
  bool enter(const GumboNode* node) {
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_CDATA) add(node->v.text.text);
    if (node->type == GUMBO_NODE_WHITESPACE) add(" ");
    if (!is_element(node) && node->type != GUMBO_NODE_DOCUMENT) return false;
    if (is_element(node)) {
      const GumboTag tag = node->v.element.tag;
      if (tag == GUMBO_TAG_TITLE && title.empty()) read_title(node);
      if (is_hidden(tag)) return false;
      if (tag == GUMBO_TAG_BR) line();
      if (tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) {
        add(" ");
      } else if (!is_inline(tag)) {
        line();
      }
    }
    return children(node)->length > 0;
  }
  void leave(const GumboNode* node) {
    if (is_element(node) && !is_inline(node->v.element.tag)) line();
  }
  void read_title(const GumboNode* node) {
    for (unsigned i = 0; i < children(node)->length; ++i) {
      const auto* child = static_cast<const GumboNode*>(children(node)->data[i]);
      if (child->type == GUMBO_NODE_TEXT) title += child->v.text.text;
    }
    for (char& c : title) c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    title = title.substr(std::min(title.find_first_not_of(' '), title.size()));
    title = title.substr(0, title.find_last_not_of(' ') + 1);
  }
  void add(std::string_view piece) {
    for (const char c : piece) {
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f') {
        space_ = !text.empty() && text.back() != '\n';
      } else {
        if (space_ && text.back() != '\n') text += ' ';
        space_ = false;
        text += c;
      }
    }
  }
  void line() {
    space_ = false;
    if (!text.empty() && text.back() != '\n') text += '\n';
  }
  bool space_ = false;
};

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written <= 0) _exit(1);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

std::string read_standard_input() {
  std::string bytes;
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = read(0, buffer.data(), buffer.size())) > 0;) {
    bytes.append(buffer.data(), static_cast<size_t>(got));
  }
  return bytes;
}

/// charset=… of a <meta> in the first 1024 bytes, as HTML's encoding sniffing looks for it.
std::string meta_charset(std::string_view bytes) {
  std::string head(bytes.substr(0, 1024));
  for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (size_t meta = head.find("<meta"); meta != std::string::npos; meta = head.find("<meta", meta + 1)) {
    const std::string tag = head.substr(meta, head.find('>', meta) - meta);
    const size_t at = tag.find("charset=");
    if (at == std::string::npos) continue;
    std::string name;
    for (const char c : tag.substr(at + 8)) {
      const bool part = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (!part && !name.empty()) break;
      if (part) name += c;
    }
    return name;
  }
  return "";
}

}  // namespace

std::string decode_charset(std::string_view bytes, const std::string& charset) {
  std::string name = charset;
  if (bytes.starts_with("\xef\xbb\xbf")) {
    name = "utf-8";
    bytes.remove_prefix(3);
  } else if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
    name = "utf-16";
  } else if (name.empty()) {
    name = meta_charset(bytes);
  }
  if (name == "gb2312" || name == "gbk") name = "gb18030";  // what they mean on the web; a superset
  if (name == "iso-8859-1" || name == "latin1" || name == "ascii" || name == "us-ascii")
    name = "windows-1252";
  if (name.empty() || name == "utf-8" || name == "utf8") return repair_utf8(bytes);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): iconv's own error value
  const auto failed = reinterpret_cast<iconv_t>(-1);
  iconv_t converter = iconv_open("UTF-8", name.c_str());
  if (converter == failed)
    refuse(Code::extraction_failed, "the charset '{}' is not known", name.substr(0, 40));
  std::string text;
  std::array<char, 16384> buffer;
  char* in = const_cast<char*>(bytes.data());
  size_t left = bytes.size();
  while (left > 0) {
    char* out = buffer.data();
    size_t room = buffer.size();
    const size_t code = iconv(converter, &in, &left, &out, &room);
    text.append(buffer.data(), buffer.size() - room);
    if (code == static_cast<size_t>(-1) && errno != E2BIG && left > 0) {
      append_utf8(0xfffd, text);
      ++in;
      --left;
    }
  }
  iconv_close(converter);
  return repair_utf8(text);
}

std::string read_docx(std::string_view bytes) {
  const DocxArchive archive(bytes);
  if (!archive.has_document) {
    refuse(Code::extraction_failed, "the archive is not a Word document: word/document.xml is missing");
  }
  std::string text = text_of_xml(archive.document);
  for (const std::string* notes : {&archive.footnotes, &archive.endnotes}) {
    if (!notes->empty()) text += "\n" + text_of_xml(*notes);
  }
  return text;
}

HtmlPage read_html(std::string_view utf8) {
  const auto release = [](GumboOutput* output) { gumbo_destroy_output(&kGumboDefaultOptions, output); };
  const std::unique_ptr<GumboOutput, decltype(release)> parsed(
      gumbo_parse_with_options(&kGumboDefaultOptions, utf8.data(), utf8.size()), release);
  HtmlText reader;
  reader.read(parsed->document);
  return {std::move(reader.title), std::move(reader.text)};
}

int run_extract_child(const std::vector<std::string>& arguments) {
  try {
    if (arguments.empty()) refuse(Code::invalid, "extract-child: which format?");
    std::string bytes = read_standard_input();
    const bool html = arguments[0] == "html";
    // Before the filter: converters are shared libraries that are loaded when they are needed.
    if (html) bytes = decode_charset(bytes, arguments.size() > 1 ? arguments[1] : "");
    allow_computing_only();
    if (html) {
      const HtmlPage page = read_html(bytes);
      write_all(1, page.title + "\n" + page.text);
    } else if (arguments[0] == "docx") {
      write_all(1, read_docx(bytes));
    } else {
      refuse(Code::invalid, "extract-child: there is no format '{}'", arguments[0]);
    }
    return 0;
  } catch (const std::exception& error) {
    write_all(2, std::string(error.what()) + "\n");
    return 3;
  }
}

}  // namespace r1::site
