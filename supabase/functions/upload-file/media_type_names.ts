// The several names of one media type, each led to the name by which the library that looks at bytes calls it.

const SAME: [RegExp, string][] = [
  [/^image\/p?jpe?g$/, "image/jpeg"],
  [/^image\/(x-png|apng)$/, "image/png"],
  [/^image\/hei[cf](-sequence)?$/, "image/heif"],
  [/^image\/(x-icon?|icon?|x-win-bitmap|vnd\.microsoft\.icon)$/, "image/x-icon"],
  [/^image\/(x-(ms-)?)?bmp$/, "image/bmp"],
  [/^image\/x-icns$/, "image/icns"],
  [/^image\/x-eps$/, "application/eps"],
  [/^image\/jxr$/, "image/vnd.ms-photo"],
  [/^image\/x-fuji-raf$/, "image/x-fujifilm-raf"],
  [/^image\/x-tiff?$/, "image/tiff"],
  [/^(image|application)\/(x-)?(photoshop|psd)$/, "image/vnd.adobe.photoshop"],
  [/^audio\/(x-|vnd\.)?wave?$|^audio\/x-pn-wav$/, "audio/wav"],
  [/^audio\/(x-)?(mp[23]|mpeg3?|mpg)$/, "audio/mpeg"],
  [/^(audio|video)\/x-\w+\+ogg$/, "$1/ogg"],
  [/^audio\/ac3$/, "audio/vnd.dolby.dd-raw"],
  [/^audio\/x-(ape|wavpack)$/, "audio/$1"],
  [/^audio\/(x-)?(flac|aiff|aac|amr|midi?)$/, "audio/$2"],
  [/^audio\/mid$/, "audio/midi"],
  [/^audio\/(x-)?m4a$/, "audio/x-m4a"],
  [/^video\/(x-)?m4v$/, "video/x-m4v"],
  [/^(audio|video)\/(x-)?matroska$/, "$1/matroska"],
  [/^video\/((x-)?(msvideo|avi)|vnd\.avi)$/, "video/vnd.avi"],
  [/^video\/(x-)?(mpeg|mp1s|mp2p)$/, "video/mpeg"],
  [/^application\/(x-)?zip(-compressed)?$/, "application/zip"],
  [/^application\/(x-)?gzip$/, "application/gzip"],
  [/^application\/(x-)?bzip2?$/, "application/x-bzip2"],
  [/^application\/(x-)?zstd$/, "application/zstd"],
  [/^application\/(x-)?(tar|xz)$/, "application/x-$2"],
  [/^application\/(x-rar-compressed|x-rar|vnd\.rar)$/, "application/x-rar-compressed"],
  [/^application\/(vnd\.sqlite3|x-sqlite3?)$/, "application/x-sqlite3"],
  [
    /^application\/(x-msdownload|x-dosexec|x-msdos-program|x-exe|vnd\.microsoft\.portable-executable)$/,
    "application/x-msdownload",
  ],
  [/^application\/x-(elf|executable|pie-executable|sharedlib|object)$/, "application/x-elf"],
  [/^application\/(x-deb|x-debian-package|vnd\.debian\.binary-package)$/, "application/x-deb"],
  [/^application\/x-(rpm|redhat-package-manager)$/, "application/x-rpm"],
  [/^application\/(x-shockwave-flash|vnd\.adobe\.flash\.movie)$/, "application/x-shockwave-flash"],
  [/^application\/(x-)?(jar|java-archive)$/, "application/java-archive"],
  [/^application\/(x-)?java(-byte-code|-class)?$/, "application/java-vm"],
  [/^application\/x-(lha|lzh)$/, "application/x-lzh-compressed"],
  [/^application\/x-lzip$/, "application/lzip"],
  [/^application\/x-ace$/, "application/x-ace-compressed"],
  [/^application\/x-archive$/, "application/x-unix-archive"],
  [/^application\/x-pdf$/, "application/pdf"],
  [/^application\/(x-)?pcap$/, "application/vnd.tcpdump.pcap"],
  [/^application\/vnd\.ms-visio\.drawing(\.main\+xml)?$/, "application/vnd.visio"],
  [/^application\/(x-iso9660-image|x-cd-image)$/, "application/x-iso9660-image"],
  [/^(text|application)\/xml$/, "application/xml"],
  [/^text\/(x-vcard|directory)$/, "text/vcard"],
  [/^text\/x-vcalendar$/, "text/calendar"],
  [/^(application|text)\/(x-)?rtf$/, "application/rtf"],
  [/^(application\/(x-)?font-|font\/)(otf|ttf|woff2?|sfnt)$/, "font/$3"],
];

/** A media type without its parameters. */
export const essenceOf = (type: string) => (type.split(";")[0] ?? "").trim().toLowerCase();

export function nameOf(essence: string): string {
  for (const [pattern, name] of SAME) if (pattern.test(essence)) return essence.replace(pattern, name);
  return essence;
}
