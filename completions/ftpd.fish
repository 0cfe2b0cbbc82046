complete -c ftpd -s f -l config -d 'Read this configuration [default: /etc/metaftpd.conf]' -r -F
complete -c ftpd -l explain -d 'Explain a setting, by its key, flag or TOML name' -r -f -a "Port\t''
BindAddress\t''
IPv4Only\t''
ProxyNetworks\t''
Certificate\t''
CertificateKey\t''
TLSPort\t''
TLSMinVersion\t''
TLSCipherSuites\t''
TLSUnknownHost\t''
ClientCertificate\t''
ClientCA\t''
ClientCRL\t''
NoDaemon\t''
Inetd\t''
SessionUser\t''
PidFile\t''
ControlSocket\t''
DrainTimeout\t''
Chroot\t''
ServLogFile\t''
LogFile\t''
LogFormat\t''
Syslog\t''
SyslogSocket\t''
Journal\t''
JournalSocket\t''
TransferLog\t''
LogLevel\t''
Banner\t''
BannerFile\t''
UserPrompt\t''
LogPasswords\t''
HostNames\t''
AuthMethods\t''
AuthFile\t''
PasswordCost\t''
UpdatePass\t''
AllowUsers\t''
DenyUsers\t''
DefaultGroup\t''
RootUsers\t''
LoginTimeout\t''
MaxLoginFails\t''
LoginFailDelay\t''
MinPassword\t''
MaxClients\t''
MaxPerAddress\t''
MaxPerUser\t''
MaxUnauthenticated\t''
MaxPasswordChecks\t''
ExemptNetworks\t''
Penalty\t''
Ban\t''
LongestBan\t''
ReplyTimeout\t''
KeepAlive\t''
Enabled\t''
Expires\t''
AllowedNetworks\t''
LoginHours\t''
ChHome\t''
ChShare\t''
Umask\t''
Durability\t''
KeepPartial\t''
MaxFileSize\t''
Locks\t''
AdvisoryLocks\t''
MandatoryLocks\t''
MandatoryWriteLocks\t''
ListOwners\t''
ListOrder\t''
ListDepth\t''
ListEntries\t''
ArchiveLinks\t''
ArchiveEntries\t''
ArchiveSize\t''
Charset\t''
CharsetNetworks\t''
PermittedCommands\t''
Idle\t''
MaxIdle\t''
DataConnectionLowPort\t''
DataConnectionHighPort\t''
DataConnectionPortRange\t''
PassiveAddress\t''
PassiveResolve\t''
PassivePorts\t''
PassivePeers\t''
ActiveTargets\t''
TunnelNetworks\t''
ProxyData\t''
PassiveMode\t''
NoPASV\t''
ActiveMode\t''
DefaultDataPort\t''
ActivePorts\t''
ActivePort20\t''
ActivePortsOnly\t''
DataTimeout\t''
PassiveTimeout\t''
StallTimeout\t''
AwaitAcknowledgement\t''
DownloadRate\t''
UploadRate\t''
UserDownloadRate\t''
UserUploadRate\t''
TotalDownloadRate\t''
TotalUploadRate\t''
InflateRatio\t''
ConfirmTransfers\t''
TLSRequired\t''
TLSRequiredAnonymous\t''
TLSDataBinding\t''
TLSCloseNotify\t''
PermitCCC\t''
CertificateLogin\t''
CertificateNames\t''
CertificateFingerprint\t''
UploadHook\t''
DownloadHook\t''
DeleteHook\t''
RenameHook\t''
LogonHook\t''
LogoffHook\t''
ConnectUpHook\t''
ConnectDownHook\t''
EventSpool\t''
EventSpoolFull\t''
Targets\t''
UserTargets\t''
ProxyClients\t''
Transparent\t''
TProxy\t''
ProxyActive\t''
ServerTLS\t''
ServerCA\t''
ServerTLSMaxVersion\t''
ConnectTimeout\t''
AnswerTimeout\t''"
complete -c ftpd -l user -d 'With --check: tell what a login of this user would get; with --dump-config: its settings' -r
complete -c ftpd -l from -d 'With --user: the address that the login would come from' -r
complete -c ftpd -l kick -d 'End the session of this number; asked twice, at once' -r
complete -c ftpd -l make-cert -d 'Make HOST.pem and HOST.key, a self-signed certificate and its key, here' -r
complete -c ftpd -s p -l port -d 'Port of the control connection; 0 is any free one [default: 21]' -r
complete -c ftpd -s i -l bindaddress -d 'Addresses and interfaces to listen on, with :PORT or not; by default all' -r
complete -c ftpd -l proxynetworks -d 'Front ends whose connections begin with a header of the PROXY protocol' -r
complete -c ftpd -l cert -d 'Certificate chains in PEM; more than one: by the host that clients name' -r -F
complete -c ftpd -l key -d 'The key to each certificate; by default it is in the certificate\'s file' -r -F
complete -c ftpd -l tls-port -d 'Port where TLS begins at once, such as 990; by default there is none' -r
complete -c ftpd -l tls-min-version -d 'The oldest version of TLS [default: 1.2]' -r -f -a "1.2\t''
1.3\t''"
complete -c ftpd -l tls-cipher-suites -d 'Cipher suites by their IANA names, or all [default: all]' -r
complete -c ftpd -l tls-unknown-host -d 'Clients that name a host (SNI) which no certificate is for [default: serve]' -r -f -a "serve\t''
refuse\t''"
complete -c ftpd -l client-certificate -d 'Whether clients are asked for a certificate, or have no TLS without one [default: off]' -r -f -a "off\t''
optional\t''
required\t''"
complete -c ftpd -l client-ca -d 'Authorities in PEM, whose certificates clients may show' -r -F
complete -c ftpd -l client-crl -d 'Revocation lists; with one, every authority on the way needs a valid one' -r -F
complete -c ftpd -l sessionuser -d 'User and group number of the network half of a session; owns nothing [default: 60621]' -r
complete -c ftpd -l pidfile -d 'File for the number of the daemon\'s process, by which a second one is refused' -r -F
complete -c ftpd -l controlsocket -d 'Socket for ftpd --who and --kick; only root and the daemon\'s user can use it' -r -F
complete -c ftpd -l drain-timeout -d 'How long SIGTERM lets transfers finish; a second one does not wait [default: 30]' -r
complete -c ftpd -l chroot -d 'Confine every session to this directory' -r -f -a "(__fish_complete_directories)"
complete -c ftpd -l servlogfile -d 'File for the server\'s own log, or SYSLOG; by default LogFile without variables' -r -F
complete -c ftpd -s l -l logfile -d 'Log of sessions: SYSLOG, or a file; $(User) $(RealUser) $(ClientIP) stand in it' -r -F
complete -c ftpd -l logformat -d 'Form of the log\'s lines: for people, or a JSON object each [default: text]' -r -f -a "text\t''
json\t''"
complete -c ftpd -l syslog -d 'Tell syslog what is logged, in the form of RFC 5424' -r
complete -c ftpd -l syslogsocket -d 'Where syslog listens [default: /dev/log]' -r -F
complete -c ftpd -l journal -d 'Tell systemd\'s journal what is logged, with fields such as FTP_USER' -r
complete -c ftpd -l journalsocket -d 'Where the journal listens [default: /run/systemd/journal/socket]' -r -F
complete -c ftpd -l transferlog -d 'File for a line about each transfer, in the form of wu-ftpd\'s xferlog' -r -F
complete -c ftpd -l loglevel -d 'How much is logged; each level adds to the one before [default: transfers]' -r -f -a "logins\t''
transfers\t''
commands\t''"
complete -c ftpd -l banner -d 'Line of the greeting' -r
complete -c ftpd -l bannerfile -d 'File with the lines of the greeting, read at start, up to 8 KiB' -r -F
complete -c ftpd -l userprompt -d 'Text of the reply to a login, of one line or several' -r
complete -c ftpd -l logpasswords -d 'Without effect, kept for MetaFTPd\'s files: no password is ever logged' -r
complete -c ftpd -l hostnames -d 'Names that HOST may give; without them it may give any' -r
complete -c ftpd -s A -l authmethods -d 'Ways to check a password, in this order; session-pam adds PAM\'s other rules [default: native]' -r
complete -c ftpd -s a -l authfile -d 'File of the native users [default: /etc/metaftpd.auth]' -r -F
complete -c ftpd -l passwordcost -d 'Cost of new argon2id hashes: KiB, passes, lanes; about 50 ms of one core [default: m=32768,t=3,p=1]' -r
complete -c ftpd -l update-pass -d 'Type that passwords of the user file get when their users log in' -r
complete -c ftpd -l allowusers -d 'Only these may log in: names, patterns, @groups; in any case' -r
complete -c ftpd -l denyusers -d 'These may not log in, even if AllowUsers names them' -r
complete -c ftpd -l defaultgroup -d 'Primary group of users of the user file, by default the real user\'s own' -r
complete -c ftpd -l rootusers -d 'Users of the user file who may be root or in root\'s group, by full name' -r
complete -c ftpd -l logintimeout -d 'Time from the connection to a complete login [default: 60]' -r
complete -c ftpd -l maxloginfails -d 'Wrong passwords before the connection is closed [default: 3]' -r
complete -c ftpd -l loginfaildelay -d 'How long the answer to a wrong password is held back [default: 1]' -r
complete -c ftpd -l minpassword -d 'Fewest octets of a password that SITE PSWD sets [default: 8]' -r
complete -c ftpd -l maxclients -d 'Connections in all; 0 is no limit, here and below [default: 2000]' -r
complete -c ftpd -l maxperaddress -d 'Connections from one IPv4 address or one /64 of IPv6 [default: 50]' -r
complete -c ftpd -l maxperuser -d 'Sessions of one user [default: 100]' -r
complete -c ftpd -l maxunauthenticated -d 'Connections before login; who has most of them makes room for others [default: 100]' -r
complete -c ftpd -l maxpasswordchecks -d 'Passwords checked at a time; 0 is one for each processor core [default: 0]' -r
complete -c ftpd -l exemptnetworks -d 'Networks with reserved places, beyond limits and penalties' -r
complete -c ftpd -l penalty -d 'Penalty of an address for a wrong password, which time pays; 0 is none [default: 10]' -r
complete -c ftpd -l ban -d 'Penalties in sum from which an address is refused until they are paid [default: 60]' -r
complete -c ftpd -l longestban -d 'Bans of an address double, up to this [default: 600]' -r
complete -c ftpd -l replytimeout -d 'How long a client may leave a reply unread [default: 60]' -r
complete -c ftpd -l keepalive -d 'Silence after which the kernel asks whether a client is still there [default: 120]' -r
complete -c ftpd -l enabled -d 'Whether an account may be used at all' -r
complete -c ftpd -l expires -d 'Last day on which an account may log in' -r
complete -c ftpd -l allowednetworks -d 'Networks that an account may log in from, by default all' -r
complete -c ftpd -l loginhours -d 'Days and times at which an account may log in, by default any' -r
complete -c ftpd -l chhome -d 'Confine users to their home directories' -r
complete -c ftpd -l chshare -d 'Confine users to this directory; they start in their homes below it' -r -f -a "(__fish_complete_directories)"
complete -c ftpd -l umask -d 'Mode bits that new files and directories do not get, in octal [default: 022]' -r
complete -c ftpd -l durability -d 'What a confirmed upload survives: a power cut, the end of ftpd, nothing [default: strict]' -r -f -a "strict\t''
rename\t''
off\t''"
complete -c ftpd -l keeppartial -d 'How long a broken upload can be continued; 0: it is dropped at once [default: 1d]' -r
complete -c ftpd -l maxfilesize -d 'Largest size of an uploaded file, such as 2GiB; 0 is no limit [default: 0]' -r
complete -c ftpd -l locks -d 'Files that are in use: refuse, warn, or refuse writing only [default: none]' -r -f -a "none\t''
Advisory\t''
Mandatory\t''
MandatoryWrite\t''"
complete -c ftpd -l alocks -d 'Short for Locks=Advisory' -r
complete -c ftpd -l mlocks -d 'Short for Locks=Mandatory' -r
complete -c ftpd -l malocks -d 'Short for Locks=MandatoryWrite' -r
complete -c ftpd -l listowners -d 'How listings show owners and groups [default: names]' -r -f -a "names\t''
numbers\t''
hidden\t''"
complete -c ftpd -l listorder -d 'Order of listings that ask for none; "name" takes memory and time [default: directory]' -r -f -a "directory\t''
name\t''"
complete -c ftpd -l listdepth -d 'Directories that LIST -R and */* go down, 64 at most; 0: no -R [default: 16]' -r
complete -c ftpd -l listentries -d 'Entries after which LIST -R and */* end, with 451; 0 is no limit [default: 1000000]' -r
complete -c ftpd -l archivelinks -d 'Whether archives of RETR with STRU T hold symbolic links [default: keep]' -r -f -a "keep\t''
skip\t''"
complete -c ftpd -l archiveentries -d 'The most entries of an archive, either way; 0 is no limit [default: 1000000]' -r
complete -c ftpd -l archivesize -d 'The most that STOR with STRU T unpacks, such as 2GiB; 0 is no limit [default: 0]' -r
complete -c ftpd -l charset -d 'Charset of names on the wire; UTF-8 passes all octets as they are [default: UTF-8]' -r
complete -c ftpd -l charsetnetworks -d 'Charset by client: NETWORK=CHARSET, the first match over Charset' -r
complete -c ftpd -l permittedcommands -d 'Commands that clients may use [default: ALL]' -r
complete -c ftpd -l idle -d 'Longest silence between commands; 0 is no limit [default: 600]' -r
complete -c ftpd -l maxidle -d 'Limit that clients cannot raise Idle above; 0 is none [default: 0]' -r
complete -c ftpd -l dclow -d 'Lowest port of passive data connections [default: 49152]' -r
complete -c ftpd -l dchigh -d 'Highest port of passive data connections [default: 65535]' -r
complete -c ftpd -l dcrange -d 'Both of these in one [default: 49152-65535]' -r
complete -c ftpd -l passiveaddress -d 'Address that PASV tells: [CLIENTS=]local, ADDRESS, HOST or interface:NAME [default: local]' -r
complete -c ftpd -l passiveresolve -d 'How often names in PassiveAddress are looked up; 0: at start only [default: 60]' -r
complete -c ftpd -l passiveports -d 'Passive ports: [CLIENTS=]LOW-HIGH, or OUTSIDE:INSIDE; over the range' -r
complete -c ftpd -l passivepeers -d 'Who may come to passive ports: [CLIENTS=]client, NETWORK+NETWORK, tls, any [default: client]' -r
complete -c ftpd -l activetargets -d 'Where PORT may lead: [CLIENTS=]client, NETWORK+NETWORK or any [default: client]' -r
complete -c ftpd -l tunnelnetworks -d 'Clients whose control connection alone is forwarded: no EPSV for them' -r
complete -c ftpd -l proxydata -d 'Passive data connections of ProxyNetworks begin with that header too' -r
complete -c ftpd -l passivemode -d 'Whether clients may connect for data: PASV, EPSV and LPSV' -r
complete -c ftpd -l nopasv -d 'Short for PassiveMode=no' -r
complete -c ftpd -l activemode -d 'Whether the server may connect to clients: PORT, EPRT and LPRT' -r
complete -c ftpd -l defaultdataport -d 'Without PORT or PASV, connect to the client\'s port of the control connection' -r
complete -c ftpd -l activeports -d 'Ports that active data connections come from, in order, such as 20; or any [default: any]' -r
complete -c ftpd -l activeport20 -d 'Short for ActivePorts=20, or for those that are named' -r
complete -c ftpd -l activeportsonly -d 'Answer 425 where all ActivePorts are in use, instead of taking another' -r
complete -c ftpd -l datatimeout -d 'How long a data connection may take to come about [default: 30]' -r
complete -c ftpd -l passivetimeout -d 'How long a passive port stays open without a transfer that uses it [default: 30]' -r
complete -c ftpd -l stalltimeout -d 'How long a transfer may make no progress [default: 300]' -r
complete -c ftpd -l awaitacknowledgement -d '226 of a download waits until the client\'s system has acknowledged all' -r
complete -c ftpd -l downloadrate -d 'Fastest that a session sends, such as 10MiB/s or 100Mbit/s; 0: any [default: 0]' -r
complete -c ftpd -l uploadrate -d 'Fastest that a session receives; 0: any [default: 0]' -r
complete -c ftpd -l userdownloadrate -d 'Fastest that all sessions of a user send together; 0: any [default: 0]' -r
complete -c ftpd -l useruploadrate -d 'Fastest that all sessions of a user receive together; 0: any [default: 0]' -r
complete -c ftpd -l totaldownloadrate -d 'Fastest that all sessions send together; 0: any [default: 0]' -r
complete -c ftpd -l totaluploadrate -d 'Fastest that all sessions receive together; 0: any [default: 0]' -r
complete -c ftpd -l inflateratio -d 'How many times larger MODE Z uploads may get, from 64 MiB up; 0 is any [default: 200]' -r
complete -c ftpd -l confirm-transfer -d 'Digest that the 226 of a transfer tells, such as SHA-256; none tells none' -r
complete -c ftpd -l tls-required -d 'What may not travel in the clear: logins, data, both [default: off]' -r -f -a "off\t''
login\t''
data\t''
all\t''"
complete -c ftpd -l tls-required-anonymous -d 'The same for accounts that take any password [default: off]' -r -f -a "off\t''
login\t''
data\t''
all\t''"
complete -c ftpd -l tls-data-binding -d 'Data must resume the control connection\'s TLS; "prefer" logs others [default: prefer]' -r -f -a "require\t''
prefer\t''
off\t''"
complete -c ftpd -l tls-close-notify -d 'Whether an upload whose TLS ends without close_notify is a broken one [default: strict]' -r -f -a "strict\t''
lax\t''"
complete -c ftpd -l permit-ccc -d 'Let clients leave TLS on the control connection, for address translators' -r
complete -c ftpd -l certificate-login -d 'What a client\'s certificate is worth: the password, more, or its half [default: off]' -r -f -a "off\t''
enough\t''
only\t''
both\t''"
complete -c ftpd -l certificate-names -d 'Which name in it must be the account\'s: cn, email, dns [default: cn]' -r
complete -c ftpd -l certificate-fingerprint -d 'SHA-256 of the account\'s certificates; names no longer count then' -r
complete -c ftpd -l uploadhook -d 'Program after each whole upload; it gets the path' -r
complete -c ftpd -l downloadhook -d 'Program after each whole download; it gets the path' -r
complete -c ftpd -l deletehook -d 'Program after a file was deleted; it gets the path' -r
complete -c ftpd -l renamehook -d 'Program after a renaming; it gets the old path and the new one' -r
complete -c ftpd -l logonhook -d 'Program after a login; it gets the user' -r
complete -c ftpd -l logoffhook -d 'Program after the end of a session, in whichever way; it gets the user' -r
complete -c ftpd -l connectuphook -d 'Program before each data connection, waited for; a failure refuses it' -r
complete -c ftpd -l connectdownhook -d 'Program after each data connection, waited for' -r
complete -c ftpd -l event-spool -d 'Directory that keeps events of uploads until their hooks are done' -r -f -a "(__fish_complete_directories)"
complete -c ftpd -l event-spool-full -d 'What becomes of an upload whose event cannot be kept there [default: refuse]' -r -f -a "refuse\t''
accept\t''"
complete -c ftpd -l targets -d 'Servers that clients may be led to: HOST, NETWORK or HOST=NETWORK, with :PORTS' -r
complete -c ftpd -l user-targets -d 'Who may go where of Targets: USERS@TARGET each; others go nowhere then' -r
complete -c ftpd -l proxyclients -d 'Who is led to Targets: anybody by USER name@host, or users by SITE PROXY [default: anybody]' -r -f -a "anybody\t''
users\t''"
complete -c ftpd -l proxy -d 'Serve only connections that a firewall redirects here, and go where they went' -r
complete -c ftpd -l tproxy -d 'The same behind a TPROXY rule; servers see each client\'s own address' -r
complete -c ftpd -l proxyactive -d 'Have the servers of Targets open the data connections' -r
complete -c ftpd -l server-tls -d 'TLS towards servers of Targets, whose certificates are always verified [default: off]' -r -f -a "off\t''
prefer\t''
require\t''
implicit\t''"
complete -c ftpd -l server-ca -d 'Authorities that certify servers of Targets, in PEM; by default the system\'s' -r -F
complete -c ftpd -l server-tls-max-version -d 'The newest TLS towards servers of Targets; 1.3 where they give tickets enough [default: 1.2]' -r -f -a "1.2\t''
1.3\t''"
complete -c ftpd -l connecttimeout -d 'How long the way to a server of Targets may take, its name\'s look-up too [default: 30]' -r
complete -c ftpd -l answertimeout -d 'How long a server of Targets may take to answer a command [default: 300]' -r
complete -c ftpd -l check -d 'Check the configuration and start nothing'
complete -c ftpd -l dump-config -d 'Print every setting as a TOML file, with where each value comes from'
complete -c ftpd -l passive -d 'With --check: tell where PASV and EPSV send whom, and try whether that leads back to here'
complete -c ftpd -l who -d 'List the sessions of the daemon that runs with this ControlSocket'
complete -c ftpd -l health -d 'Tell by the exit status whether the daemon with this ControlSocket serves clients'
complete -c ftpd -l json -d 'With --user or --passive: print one JSON object; with --who: one for each session'
complete -c ftpd -s 4 -d 'Listen on IPv4 addresses only'
complete -c ftpd -l nodemon -d 'Stay in the foreground'
complete -c ftpd -s I -l inetd -d 'Serve one session on descriptor 0, started by inetd'
complete -c ftpd -s h -l help -d 'Print help'
complete -c ftpd -s V -l version -d 'Print version'
