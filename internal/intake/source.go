package intake

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// source is a file that can be read twice: once for its digest, once for its rows.
type source struct {
	file   *os.File
	size   int64
	digest string // the first 16 hexadecimal digits of the SHA-256
}

// openSource reads the file once. What is no regular file is spooled to a file that has no name
// any more, so that nothing of it is left behind.
func openSource(path, tempDir string) (source, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return source{}, err
		}
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", path)
	}
	var into io.Writer = io.Discard
	from := io.Reader(f)
	if err == nil && !info.Mode().IsRegular() {
		var spool *os.File
		if spool, err = os.CreateTemp(tempDir, "switchboard-import-*"); err == nil {
			err = os.Remove(spool.Name())
			if f != os.Stdin {
				defer f.Close()
			}
			f, into = spool, spool
		}
	}
	if err != nil {
		_ = f.Close()
		return source{}, err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(hash, into), from)
	s := source{file: f, size: size, digest: hex.EncodeToString(hash.Sum(nil))[:16]}
	if err == nil {
		err = s.refuse()
	}
	if err != nil {
		_ = f.Close()
		return source{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// reader reads what had the digest, not what was appended since.
func (s *source) reader() io.Reader { return io.NewSectionReader(s.file, 0, s.size) }

func (s *source) Close() error { return s.file.Close() }

// refuse names the kinds of file that would only give one reject a line.
func (s *source) refuse() error {
	head := make([]byte, 4)
	n, err := s.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, kind := range []struct{ magic, problem string }{
		{"\x1f\x8b", "is compressed with gzip: decompress it first, such as zcat FILE | switchboard import -"},
		{"\x28\xb5\x2f\xfd", "is compressed with zstd: decompress it first, such as zstdcat FILE | switchboard import -"},
		{"PK\x03\x04", "is a zip archive or a spreadsheet: export it as CSV"},
		{"\xff\xfe", "is UTF-16: convert it to UTF-8 first"},
		{"\xfe\xff", "is UTF-16: convert it to UTF-8 first"},
	} {
		if bytes.HasPrefix(head[:n], []byte(kind.magic)) {
			return errors.New(kind.problem)
		}
	}
	return nil
}

// lineReader reads lines of bounded length and knows where it is.
type lineReader struct {
	r      *bufio.Reader
	line   int   // lines read
	offset int64 // bytes read
	buf    []byte
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	if mark, _ := l.r.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		n, _ := l.r.Discard(len(mark))
		l.offset = int64(n)
	}
	return l
}

// next gives the next line that is not empty, without its end, valid until the next call, and its
// number. A line longer than MaxItemBytes is a rowError and skipped.
func (l *lineReader) next() ([]byte, int, error) {
	for {
		l.buf = l.buf[:0]
		long := false
		var err error
		for {
			var piece []byte
			piece, err = l.r.ReadSlice('\n')
			l.offset += int64(len(piece))
			if long = long || len(l.buf)+len(piece) > MaxItemBytes+2; !long {
				l.buf = append(l.buf, piece...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, l.line + 1, err
		}
		if err != nil && len(l.buf) == 0 && !long {
			return nil, l.line, io.EOF
		}
		l.line++
		if long {
			return nil, l.line, badRow(fmt.Sprintf("is longer than %d bytes", MaxItemBytes))
		}
		line := bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte{'\n'}), []byte{'\r'})
		if len(bytes.TrimSpace(line)) > 0 {
			return line, l.line, nil
		}
	}
}
