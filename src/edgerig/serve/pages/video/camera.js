// The visitor's own camera: a picture is sent when the one before has come back, so that it is always the newest.
const WIDTH = 640, HEIGHT = 480, QUALITY = 0.85;
let stream = null, socket = null;

export async function startCamera({ by, tell, pictures, socketOf }) {
  if (!navigator.mediaDevices) {
    tell("Browsers give pages their camera over HTTPS or on this machine (localhost) only.");
    return;
  }
  by("start").disabled = true;
  try {
    const video = { width: { ideal: WIDTH }, height: { ideal: HEIGHT }, facingMode: "environment" };
    stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    tell(`The camera cannot be used: ${error.message || error.name}.`);
    by("start").disabled = false;
    return;
  }
  const own = by("own");
  own.srcObject = stream;
  await own.play();
  by("stop").disabled = false;
  const paper = document.createElement("canvas");
  socket = socketOf("camera");
  socket.onopen = () => send(own, paper);
  socket.onmessage = async (message) => { if (await pictures.take(message.data)) send(own, paper); };
  socket.onclose = (event) => {
    if (stream) tell(event.reason || "The connection to the server is lost.");
    stopCamera({ by });
  };
}

function send(own, paper) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return;
  paper.width = own.videoWidth;
  paper.height = own.videoHeight;
  paper.getContext("2d").drawImage(own, 0, 0);
  paper.toBlob((picture) => { if (socket && socket.readyState === WebSocket.OPEN) socket.send(picture); }, "image/jpeg", QUALITY);
}

export function stopCamera({ by }) {
  const tracks = stream ? stream.getTracks() : [];
  stream = null;
  for (const track of tracks) track.stop();
  if (socket) socket.close();
  socket = null;
  by("start").disabled = false;
  by("stop").disabled = true;
}
