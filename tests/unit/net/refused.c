/* The many spellings of addresses that are not public. */
#include "refused.h"

#include "base/compiler.h"

const char *const refused_urls[] = {
    /* loopback, in every number that a resolver understands */
    "http://127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1:8080/x", "http://127.0.0.1:22/", "HTTP://127.0.0.1/",
    "http://127.0.0.2/", "http://127.1/", "http://127.0.1/", "http://127.255.255.255/", "http://127.127.127.127/",
    "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7F000001/", "http://0x7f.1/",
    "http://0x7f.0x0.0x0.0x1/", "http://0177.0.0.1/", "http://0177.0.0.01/", "http://00177.0.0.1/",
    "http://0177.0x0.0.1/", "http://127.0x1/", "http://2130706434/", "http://0x7f.0.1/",
    "http://0x7f.0x000001/", "http://0x0000000000000000007f.1/", "http://127.0x000001/", "http://0177.1/",
    "http://0x7F.0X0.0.1/", "http://127.0.0.1?@example.com/", "http://127.0.0.1#@example.com/",
    "http://000000000177.1/", "http://127.000.000.001/", "http://127.65535/", "http://127.16777215/",
    /* in characters that become digits and dots */
    "http://%31%32%37.0.0.1/", "http://127%2e0%2e0%2e1/", "http://%3127.0.0.1/", "http://0%78%37f000001/",
    /* by name */
    "http://localhost/", "http://LOCALHOST/", "http://LocalHost:8080/", "https://localhost/x?y=z",
    "http://a.localhost/", "http://a.b.localhost:81/", "http://%6cocalhost/",
    /* this network and the unspecified */
    "http://0/", "http://0.0.0.0/", "http://0.0.0.0:8080/", "http://0.0.0.1/", "http://0.1.2.3/", "http://0x0/",
    "http://00/", "http://0.255.255.255/", "http://1/", "http://255/",
    /* private */
    "http://10.0.0.0/", "http://10.0.0.1/", "http://10.255.255.255/", "http://10.1/", "http://167772161/",
    "http://0xa000001/", "http://012.0.0.1/", "http://0x0a.0x00.0x00.0x01/", "http://10.0.0.1:65535/",
    "http://172.16.0.0/", "http://172.16.0.1/", "http://172.20.10.1/", "http://172.31.255.255/", "http://2886729729/",
    "http://0xac100001/", "http://0254.020.0.1/", "http://192.168.0.0/", "http://192.168.0.1/", "http://192.168.1.1/",
    "http://192.168.255.255/", "http://3232235521/", "http://0xc0a80001/", "http://0300.0250.0.1/",
    "http://192.168.257/", "http://192.11010049/",
    /* carrier-grade NAT */
    "http://100.64.0.0/", "http://100.64.0.1/", "http://100.100.100.200/latest/meta-data/", "http://100.127.255.255/",
    /* link-local and metadata */
    "http://169.254.0.0/", "http://169.254.0.1/", "http://169.254.169.254/", "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:80/computeMetadata/v1/", "http://169.254.170.2/v2/credentials", "http://169.254.255.255/",
    "http://2852039166/", "http://0xa9fea9fe/", "http://0xA9.0xFE.0xA9.0xFE/", "http://0251.0376.0251.0376/",
    "http://169.254.43518/", "http://169.16689662/", "http://0251.254.169.254/", "http://168.63.129.16/metadata",
    "http://192.0.0.192/opc/v2/",
    /* assigned to protocols, documentation, benchmarks, old relays */
    "http://192.0.0.0/", "http://192.0.0.1/", "http://192.0.0.170/", "http://192.0.0.255/", "http://192.0.2.0/",
    "http://192.0.2.1/", "http://192.0.2.255/", "http://198.51.100.0/", "http://198.51.100.1/",
    "http://198.51.100.255/", "http://203.0.113.0/", "http://203.0.113.1/", "http://203.0.113.255/",
    "http://198.18.0.0/", "http://198.18.0.1/", "http://198.19.255.255/", "http://192.88.99.0/", "http://192.88.99.1/",
    /* multicast, reserved, broadcast */
    "http://224.0.0.0/", "http://224.0.0.1/", "http://224.0.0.251/", "http://239.255.255.250:1900/",
    "http://239.255.255.255/", "http://240.0.0.0/", "http://240.0.0.1/", "http://250.1.2.3/", "http://254.255.255.255/",
    "http://255.255.255.254/", "http://255.255.255.255/", "http://4294967295/", "http://0xffffffff/",
    "http://037777777777/", "http://3758096385/",
    /* IPv6: unspecified, loopback, link-local, site-local, unique local, multicast */
    "http://[::]/", "http://[::]:8080/", "http://[0:0:0:0:0:0:0:0]/", "http://[0::0]/", "http://[::1]/",
    "https://[::1]/", "http://[::1]:8080/", "http://[0:0:0:0:0:0:0:1]/", "http://[0000:0000::0001]/", "http://[::2]/",
    "http://[fe80::1]/", "http://[fe80::]/", "http://[FE80::1]/", "http://[febf:ffff::1]/",
    "http://[fe80::a9fe:a9fe]/", "http://[fec0::1]/", "http://[feff::1]/", "http://[fc00::]/", "http://[fc00::1]/",
    "http://[fd00::1]/", "http://[fd00:ec2::254]/latest/meta-data/", "http://[fd20:ce::254]/", "http://[fdff::1]/",
    "http://[ff00::1]/", "http://[ff02::1]/", "http://[ff02::fb]/", "http://[ff05::2]/", "http://[ff0e::1]/",
    "http://[ffff::1]/",
    /* IPv6 around an IPv4 address */
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::FFFF:127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[::ffff:10.0.0.1]/", "http://[::ffff:192.168.0.1]/",
    "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://[::ffff:0.0.0.0]/",
    "http://[::ffff:100.64.0.1]/", "http://[::ffff:255.255.255.255]/", "http://[::127.0.0.1]/", "http://[::7f00:1]/",
    "http://[::10.0.0.1]/", "http://[::8.8.8.8]/", "http://[::ffff:0:127.0.0.1]/", "http://[::ffff:0:8.8.8.8]/",
    "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b::169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::1]/",
    "http://[64:ff9b:1::8.8.8.8]/", "http://[64:ff9b:1:ffff::7f00:1]/", "http://[64:ff9b:2::1]/",
    "http://[::ffff:0:0]/", "http://[0:0:0:0:0:ffff:0a00:0001]/", "http://[::FFFF:A9FE:A9FE]:80/",
    "http://[64:FF9B::10.0.0.1]/", "http://[64:ff9b::0.0.0.0]/", "http://[64:ff9b::255.255.255.255]/",
    "http://[2002:6440:1::1]/", "http://[2002:ffff:ffff::1]/", "http://[fec0:0:0:ffff::1]/", "http://[fe80::5efe:8.8.8.8]/",
    "http://[2002:7f00:1::]/", "http://[2002:7f00:1::1]/", "http://[2002:a00:1::1]/", "http://[2002:c0a8:1::1]/",
    "http://[2002:a9fe:a9fe::1]/", "http://[2002:e000:1::1]/", "http://[2002::1]/",
    "http://[2001:0:7f00:1::1]/", "http://[2001:0:808:808::80ff:fffe]/", "http://[2001:0:808:808::f5ff:fffe]/",
    "http://[2001::1]/", "http://[2001:0:a00:1::f7f7:f7f7]/",
    "http://[2606:4700::5efe:127.0.0.1]/", "http://[2606:4700::5efe:a00:1]/", "http://[2606:4700::200:5efe:a00:1]/",
    /* IPv6 for documentation, protocols, benchmarks, and what is not global unicast */
    "http://[2001:db8::1]/", "http://[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]/", "http://[3fff::1]/",
    "http://[3fff:fff:ffff::1]/", "http://[2001:2::1]/", "http://[2001:10::1]/", "http://[2001:20::1]/",
    "http://[2001:1::1]/", "http://[2001:1ff::1]/", "http://[100::1]/", "http://[100:0:0:1::1]/", "http://[200::1]/",
    "http://[400::1]/", "http://[1fff::1]/", "http://[4000::1]/", "http://[5f00::1]/", "http://[8000::1]/",
    "http://[e000::1]/", "http://[f000::1]/",
};
const size_t refused_url_count = ARRAY_SIZE(refused_urls);

const char *const malformed_urls[] = {
    "", "/", "//example.com/", "example.com", "www.example.com/x", "localhost", "127.0.0.1", "http", "http:", "http:/",
    "http://", "https://", "http:///", "http:///etc/passwd", "http:example.com", "http:/example.com/",
    "https:example.com", "http:////example.com/", "http://?x", "http://#x", "http://:80/",
    "http:// example.com/", " http://example.com/",
    "http://example.com/ ", "http://exam ple.com/", "http://example.com/a b", "http://example.com/\n",
    "http://example.com/\r\nHost: x", "http://example.com\t/", "http://example.com/\x7f", "http://example.com/\x01",
    "http://example.com\\@127.0.0.1/", "http:\\\\example.com\\", "http://example.com\\.internal/",
    /* other scripts' digits and dots, which some resolvers turn into ours */
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
    "http://127\xe3\x80\x82" "0\xe3\x80\x82" "0\xe3\x80\x82" "1/", "http://l\xe2\x93\x9e" "calhost/",
    "http://127\xef\xbc\x8e" "0\xef\xbc\x8e" "0\xef\xbc\x8e" "1/", "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
    "http://b\xc3\xbc" "cher.example/",
    "http://user@example.com/", "http://user:password@example.com/", "http://:password@example.com/",
    "http://example.com%40127.0.0.1/@", "http://example.com\t@127.0.0.1/", "http://exa\nmple.com/", "http://127.0.0.1\r/",
    "http://example.com:80@127.0.0.1/", "http://example.com:@127.0.0.1:80/", "http://[fe80::1%eth0]/",
    "http://[fe80::1%251]/", "http://[::1%25lo]/", "http://[fd00::1%25eth0]:80/", "http://[127.0.0.1]/",
    "http://[::ffff:127.0.0.1/", "http://127.0.0.1]/", "http://[::1]:65536/", "http://127.0.0.1:080x/",
    "http://127.0.0.1\xe3\x80\x82/", "http://\xef\xbc\x90/", "http://\xf0\x9d\x9f\x8f\xf0\x9d\x9f\x90\xf0\x9d\x9f\x95.0.0.1/",
    "http://localhost\xef\xbc\x8e/", "http://\xe2\x84\x93ocalhost/", "http://loc\xc2\xad" "alhost/",
    "http://127.0.0.1@example.com/", "http://example.com@127.0.0.1/", "https://@example.com/",
    "http://example.com:0/", "http://example.com:65536/", "http://example.com:99999/", "http://example.com:-1/",
    "http://example.com:http/", "http://example.com:8o/", "http://example.com:80:80/",
    "http://[::1/", "http://::1/", "http://[::1]x/", "http://[::1]:x/", "http://[gggg::1]/", "http://[]/",
    "http://[1.2.3.4]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%25lo]/",
    "ftp://example.com/", "file:///etc/passwd", "file://localhost/etc/passwd", "gopher://127.0.0.1:70/_x",
    "dict://127.0.0.1:11211/stats", "ldap://127.0.0.1/", "smb://127.0.0.1/x", "scp://127.0.0.1/x", "sftp://h/x",
    "telnet://127.0.0.1/", "tftp://127.0.0.1/x", "imap://127.0.0.1/", "smtp://127.0.0.1/", "pop3://127.0.0.1/",
    "rtsp://127.0.0.1/", "mqtt://127.0.0.1/", "ws://127.0.0.1/", "wss://example.com/", "data:text/plain,x",
    "javascript:alert(1)", "jar:http://example.com!/", "unix:///var/run/docker.sock", "httpx://example.com/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "view-source:http://example.com/", "url:http://example.com/",
};
const size_t malformed_url_count = ARRAY_SIZE(malformed_urls);
