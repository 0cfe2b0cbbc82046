complete -c ftpproxy -s f -l config -d 'Read this configuration [default: /etc/ftpproxy.conf]' -r -F
complete -c ftpproxy -l drain -d 'Have a server of the pool get no new sessions; those that run go on' -r
complete -c ftpproxy -l undrain -d 'Have it get new sessions again' -r
complete -c ftpproxy -l kick -d 'End the session of this number; asked twice, at once' -r
complete -c ftpproxy -s p -l port -d 'Port for clients; 0 is any free one [default: 21]' -r
complete -c ftpproxy -s i -l bindaddress -d 'Addresses and interfaces to listen on, with :PORT or not; by default all' -r
complete -c ftpproxy -s 4 -d 'Listen on IPv4 addresses only' -r
complete -c ftpproxy -l cert -d 'Certificate chains in PEM; more than one: by the host that clients name' -r -F
complete -c ftpproxy -l key -d 'The key to each certificate; by default it is in the certificate\'s file' -r -F
complete -c ftpproxy -l tls-port -d 'Port where TLS begins at once, such as 990; by default there is none' -r
complete -c ftpproxy -l tls-min-version -d 'The oldest version of TLS [default: 1.2]' -r -f -a "1.2\t''
1.3\t''"
complete -c ftpproxy -l tls-cipher-suites -d 'Cipher suites by their IANA names, or all [default: all]' -r
complete -c ftpproxy -l tls-required -d 'What of clients must be under TLS: names and passwords, data, or all [default: off]' -r -f -a "off\t''
login\t''
data\t''
all\t''"
complete -c ftpproxy -l tls-data-binding -d 'Whether clients\' data must resume the control connection\'s TLS session [default: prefer]' -r -f -a "require\t''
prefer\t''
off\t''"
complete -c ftpproxy -l server-tls -d 'TLS towards servers, whose certificates are always verified [default: off]' -r -f -a "off\t''
prefer\t''
require\t''
implicit\t''"
complete -c ftpproxy -l server-ca -d 'Authorities that certify servers, in PEM; by default the system\'s' -r -F
complete -c ftpproxy -l server-tls-name -d 'The name in the certificate of Server, if it is another' -r
complete -c ftpproxy -l server-tls-max-version -d 'The newest TLS towards servers; 1.3 where they give tickets enough [default: 1.2]' -r -f -a "1.2\t''
1.3\t''"
complete -c ftpproxy -l targets -d 'Where clients may go: HOST, NETWORK or HOST=NETWORK, with :PORTS' -r
complete -c ftpproxy -l user-targets -d 'Who may go where of Targets: USERS@TARGET each; others go nowhere then' -r
complete -c ftpproxy -l server -d 'Where all clients go, by default where each of them says' -r
complete -c ftpproxy -l servers -d 'The pool: [NAME=]HOST:PORT[*WEIGHT]; the name of a user says to which' -r
complete -c ftpproxy -l user-servers -d 'Lines of a user and its servers of the pool; others go by a hash' -r -F
complete -c ftpproxy -l server-patience -d 'How long a server of the pool may take to greet, or for a whole check [default: 5]' -r
complete -c ftpproxy -l health-interval -d 'How often each server of the pool is looked at; 0 is never [default: 10]' -r
complete -c ftpproxy -l health-down -d 'So many checks in a row that fail, and a server is down [default: 3]' -r
complete -c ftpproxy -l health-up -d 'So many in a row that do not, and it is up again [default: 2]' -r
complete -c ftpproxy -l health-login -d 'File with a name and, in its second line, a password that checks try' -r -F
complete -c ftpproxy -l proxy -d 'Serve connections that a firewall redirects here, and go where they went' -r
complete -c ftpproxy -l tproxy -d 'The same behind a TPROXY rule; servers see each client\'s own address' -r
complete -c ftpproxy -l draining -d 'Servers of the pool that get no new sessions, while those that run end' -r
complete -c ftpproxy -l server-proxy-protocol -d 'Header that tells Server or Servers whose each control connection is [default: off]' -r -f -a "off\t''
v2\t''"
complete -c ftpproxy -l nopasv -d 'Have servers open the data connections to the gateway' -r
complete -c ftpproxy -l nodemon -d 'Stay in the foreground' -r
complete -c ftpproxy -s I -l inetd -d 'Serve one session on descriptor 0, started by inetd' -r
complete -c ftpproxy -l proxyuser -d 'Uid and gid of what reads the network; five behind it are taken too [default: 60631]' -r
complete -c ftpproxy -l pidfile -d 'File for the number of the daemon\'s process, by which a second one is refused' -r -F
complete -c ftpproxy -l drain-timeout -d 'How long SIGTERM lets transfers finish; a second one does not wait [default: 30]' -r
complete -c ftpproxy -l controlsocket -d 'Socket for --status, --drain, --who and --kick; for root and the daemon\'s user' -r -F
complete -c ftpproxy -l servlogfile -d 'Append log lines to this file, or SYSLOG' -r -F
complete -c ftpproxy -l logformat -d 'Form of the log\'s lines: for people, or a JSON object each [default: text]' -r -f -a "text\t''
json\t''"
complete -c ftpproxy -l syslog -d 'Tell syslog what is logged, in the form of RFC 5424' -r
complete -c ftpproxy -l syslogsocket -d 'Where syslog listens [default: /dev/log]' -r -F
complete -c ftpproxy -l journal -d 'Tell systemd\'s journal what is logged, with fields such as FTP_USER' -r
complete -c ftpproxy -l journalsocket -d 'Where the journal listens [default: /run/systemd/journal/socket]' -r -F
complete -c ftpproxy -l transferlog -d 'File for a line about each transfer, in the form of wu-ftpd\'s xferlog' -r -F
complete -c ftpproxy -l loglevel -d 'How much is logged; each has what those before it have [default: transfers]' -r -f -a "logins\t''
transfers\t''
commands\t''"
complete -c ftpproxy -l banner -d 'Greeting for clients that say later where they go' -r
complete -c ftpproxy -l permittedcommands -d 'Commands that clients may use [default: ALL]' -r
complete -c ftpproxy -l logintimeout -d 'Time for a login, from the connection on [default: 60]' -r
complete -c ftpproxy -l idle -d 'Longest silence between commands; 0 is no limit [default: 600]' -r
complete -c ftpproxy -l replytimeout -d 'How long a client may leave a reply unread [default: 60]' -r
complete -c ftpproxy -l connecttimeout -d 'How long the way to a server may take, its name\'s look-up too [default: 30]' -r
complete -c ftpproxy -l answertimeout -d 'How long a server may take to answer a command [default: 300]' -r
complete -c ftpproxy -l datatimeout -d 'How long a data connection may take to come about [default: 30]' -r
complete -c ftpproxy -l stalltimeout -d 'How long a transfer may make no progress; 0 is no limit [default: 300]' -r
complete -c ftpproxy -l awaitacknowledgement -d '226 of a download waits until the client\'s system has acknowledged all' -r
complete -c ftpproxy -l logonhook -d 'Program after a login; it gets the name that the client said' -r
complete -c ftpproxy -l logoffhook -d 'Program after the end of a session, in whichever way; it gets that name' -r
complete -c ftpproxy -l connectuphook -d 'Program before each data connection, waited for; a failure refuses it' -r
complete -c ftpproxy -l connectdownhook -d 'Program after each data connection, waited for' -r
complete -c ftpproxy -l dclow -d 'Lowest port that data connections come to [default: 49152]' -r
complete -c ftpproxy -l dchigh -d 'Highest port that data connections come to [default: 65535]' -r
complete -c ftpproxy -l dcrange -d 'Both of these in one [default: 49152-65535]' -r
complete -c ftpproxy -l maxclients -d 'Connections in all; 0 is no limit, here and below [default: 2000]' -r
complete -c ftpproxy -l maxperaddress -d 'Connections from one IPv4 address or one /64 of IPv6 [default: 50]' -r
complete -c ftpproxy -l maxperuser -d 'Sessions of one user at one server [default: 100]' -r
complete -c ftpproxy -l maxunauthenticated -d 'Connections before login; who has most of them makes room for others [default: 100]' -r
complete -c ftpproxy -l exemptnetworks -d 'Networks with reserved places, beyond limits and penalties' -r
complete -c ftpproxy -l penalty -d 'Penalty of an address for a failed login or a refused server; 0 is none [default: 10]' -r
complete -c ftpproxy -l ban -d 'Penalties in sum from which an address is refused until they are paid [default: 60]' -r
complete -c ftpproxy -l longestban -d 'Bans of an address double, up to this [default: 600]' -r
complete -c ftpproxy -l check -d 'Check the configuration and start nothing'
complete -c ftpproxy -l status -d 'List the servers of the pool of the gateway that runs with this ControlSocket'
complete -c ftpproxy -l who -d 'List the sessions of the gateway that runs'
complete -c ftpproxy -l json -d 'With --status and --who: print one JSON object for each'
complete -c ftpproxy -s h -l help -d 'Print help'
complete -c ftpproxy -s V -l version -d 'Print version'
