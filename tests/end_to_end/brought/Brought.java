// Java's own client of HTTP and WebSocket, with nothing set: it offers h2c with each request that is not encrypted.
// Arguments: address, key, client id. A line on stdin is said by WebSocket; one that begins with "POST " by HTTP.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.util.concurrent.CompletionStage;

public class Brought {
    static class Ear implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                System.out.println("heard " + text);
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], key = arguments[1], name = arguments[2];
        HttpClient client = HttpClient.newHttpClient();
        String place = url.replace("http", "ws") + "/v3/ws/group/team/client/" + name + "?api_key=" + key;
        WebSocket socket = client.newWebSocketBuilder().buildAsync(URI.create(place), new Ear()).join();
        System.out.println("ready");
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            if (line.startsWith("POST ")) {
                HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v3/messages")).header("X-Api-Key", key)
                    .POST(HttpRequest.BodyPublishers.ofString(line.substring(5))).build();
                System.out.println("answered " + client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
            } else {
                socket.sendText(line, true).join();
            }
        }
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").join();
        System.exit(0);
    }
}
