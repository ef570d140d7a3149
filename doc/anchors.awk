# Gives headings of a Markdown page the names that links use, for Doxygen: that of
# GitHub, after the page's own, as names must be unique there. Doxygen's filter
# for pages; see Doxyfile.

function slug(text) {
  text = tolower(text)
  gsub(/[^a-z0-9 _-]/, "", text)
  gsub(/ /, "-", text)
  return text
}

FNR == 1 {
  page = FILENAME
  sub(/.*\//, "", page)
  sub(/\.md$/, "", page)
}
/^```/ { code = !code }
code || /^    / { print; next }
/^##+ / {
  text = $0
  sub(/^#+ /, "", text)
  print $0 " {#" page "-" slug(text) "}"
  next
}
{
  gsub(/\]\(#/, "](#" page "-")
  while (match($0, /\]\([a-z_\/.-]+\.md#/)) {
    other = substr($0, RSTART + 2, RLENGTH - 6)
    sub(/.*\//, "", other)
    $0 = substr($0, 1, RSTART + 1) "#" other "-" substr($0, RSTART + RLENGTH)
  }
  print
}
