# Takes the steps of a file with Perl's Net::FTP.
use strict;
use warnings;
use Net::FTP;

my $ftp = Net::FTP->new($ENV{FTP_HOST}, Port => $ENV{FTP_PORT}, Passive => $ENV{FTP_PASSIVE}, Timeout => 30)
    or die "connect: $@";
sub must { my ($done, $what) = @_; defined $done && $done or die "$what: " . $ftp->message }
must($ftp->login($ENV{FTP_USER}, $ENV{FTP_PASSWORD}), "login");
must($ftp->binary || 1, "binary");
open(my $steps, "<", $ARGV[0]) or die $!;
while (my $line = <$steps>) {
    chomp $line;
    my ($step, $one, $two) = split /\t/, $line, -1;
    if ($step eq "put") { must($ftp->put($one, $two), $line) }
    elsif ($step eq "put-on") {
        my $there = $ftp->size($two);
        open(my $local, "<:raw", $one) or die $!;
        seek($local, $there, 0);
        must($ftp->append($local, $two), $line);
    }
    elsif ($step eq "get") { must($ftp->get($one, $two), $line) }
    elsif ($step eq "get-on") { must($ftp->get($one, $two, -s $two), $line) }
    elsif ($step eq "rename") { must($ftp->rename($one, $two), $line) }
    elsif ($step eq "delete") { must($ftp->delete($one), $line) }
    else { die "no such step: $step" }
}
must($ftp->quit, "quit");
